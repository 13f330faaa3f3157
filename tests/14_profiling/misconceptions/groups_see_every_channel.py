"""Each kernel looks at all channels, whatever the groups."""
# loses: test-product-flops

# %% product-flops
#| export
@flops_of(Linear)
def linear_flops(layer: Linear, out: Tensor, x: Tensor) -> int:
    return out.numel() * 2 * layer.in_features


@flops_of(Conv2d)
def conv2d_flops(layer: Conv2d, out: Tensor, x: Tensor) -> int:
    return out.numel() * 2 * layer.in_channels * prod(layer.kernel_size)
