"""A dilated kernel reaches over dilation * kernel pixels."""
# loses: test-output-size, test-im2col, test-module-spatial

# %% output-size
#| export
def output_size(size: int, kernel: int, stride: int = 1, padding: int = 0, dilation: int = 1) -> int:
    reach = dilation * kernel
    padded = size + 2 * padding
    if reach > padded:
        raise ShapeError(f"a window that reaches over {reach} pixels does not fit on {padded} (with padding): shrink the kernel or pad more.")
    return (padded - reach) // stride + 1
