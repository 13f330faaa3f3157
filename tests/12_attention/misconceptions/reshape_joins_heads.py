"""A reshape to (T, C) puts heads side by side."""
# loses: test-heads, test-multi-head

# %% heads
#| export
def split_heads(x: Tensor, num_heads: int) -> Tensor:
    apart = x.reshape(*x.shape[:-1], num_heads, x.shape[-1] // num_heads)  # (..., T, H, d)
    return apart.transpose(-3, -2)  # (..., H, T, d)


def merge_heads(x: Tensor) -> Tensor:
    *lead, H, T, d = x.shape
    return x.reshape(*lead, T, H * d)  # (..., T, C)
