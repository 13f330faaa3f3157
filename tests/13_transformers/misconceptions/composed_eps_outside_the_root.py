"""eps is added to the root."""
# loses: test-layer-norm-composed

# %% layer-norm-composed
def layer_norm_composed(x: Tensor, weight: Tensor, bias: Tensor, eps: float = 1e-5) -> Tensor:
    mean = x.mean(axis=-1, keepdims=True)  # (..., 1)
    var = x.var(axis=-1, keepdims=True)
    normal = (x - mean) / (var.sqrt() + eps)  # (..., C)
    return normal * weight + bias
