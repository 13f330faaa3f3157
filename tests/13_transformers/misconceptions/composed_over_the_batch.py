"""The mean runs over all tokens, as in batch norm."""
# loses: test-layer-norm-composed

# %% layer-norm-composed
def layer_norm_composed(x: Tensor, weight: Tensor, bias: Tensor, eps: float = 1e-5) -> Tensor:
    mean = x.mean(axis=0, keepdims=True)  # (..., 1)
    var = x.var(axis=0, keepdims=True)
    normal = (x - mean) / (var + eps).sqrt()  # (..., C)
    return normal * weight + bias
