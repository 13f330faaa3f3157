"""Padding of 2 makes the image 2 pixels larger."""
# loses: test-output-size, test-im2col, test-conv2d-backward, test-module-spatial

# %% output-size
#| export
def output_size(size: int, kernel: int, stride: int = 1, padding: int = 0, dilation: int = 1) -> int:
    reach = dilation * (kernel - 1) + 1
    padded = size + padding
    if reach > padded:
        raise ShapeError(f"a window that reaches over {reach} pixels does not fit on {padded} (with padding): shrink the kernel or pad more.")
    return (padded - reach) // stride + 1
