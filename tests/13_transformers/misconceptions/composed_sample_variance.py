"""The variance divides by C - 1."""
# loses: test-layer-norm-composed

# %% layer-norm-composed
def layer_norm_composed(x: Tensor, weight: Tensor, bias: Tensor, eps: float = 1e-5) -> Tensor:
    mean = x.mean(axis=-1, keepdims=True)  # (..., 1)
    var = x.var(axis=-1, keepdims=True, correction=1)
    normal = (x - mean) / (var + eps).sqrt()  # (..., C)
    return normal * weight + bias
