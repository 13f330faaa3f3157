"""A reshape to (H, T, d) makes heads."""
# loses: test-heads, test-multi-head

# %% heads
#| export
def split_heads(x: Tensor, num_heads: int) -> Tensor:
    *lead, T, C = x.shape
    return x.reshape(*lead, num_heads, T, C // num_heads)  # (..., T, H, d)


def merge_heads(x: Tensor) -> Tensor:
    together = x.transpose(-3, -2)  # (..., T, H, d)
    return together.reshape(*together.shape[:-2], x.shape[-3] * x.shape[-1])  # (..., T, C)
