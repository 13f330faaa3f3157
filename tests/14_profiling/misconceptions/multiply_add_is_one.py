"""A multiply-add is one operation."""
# loses: test-product-flops, test-module-profiling

# %% product-flops
#| export
@flops_of(Linear)
def linear_flops(layer: Linear, out: Tensor, x: Tensor) -> int:
    return out.numel() * layer.in_features


@flops_of(Conv2d)
def conv2d_flops(layer: Conv2d, out: Tensor, x: Tensor) -> int:
    deep = layer.in_channels // layer.groups
    return out.numel() * deep * prod(layer.kernel_size)
