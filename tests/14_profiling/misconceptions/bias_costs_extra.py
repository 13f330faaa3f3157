"""The bias is one more addition for each number of the result."""
# loses: test-product-flops, test-module-profiling

# %% product-flops
#| export
@flops_of(Linear)
def linear_flops(layer: Linear, out: Tensor, x: Tensor) -> int:
    return out.numel() * (2 * layer.in_features + (layer.bias is not None))


@flops_of(Conv2d)
def conv2d_flops(layer: Conv2d, out: Tensor, x: Tensor) -> int:
    deep = layer.in_channels // layer.groups
    return out.numel() * (2 * deep * prod(layer.kernel_size) + (layer.bias is not None))
