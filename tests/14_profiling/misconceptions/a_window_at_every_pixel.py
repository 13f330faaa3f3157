"""There is a window at every pixel of the input."""
# loses: test-product-flops

# %% product-flops
#| export
@flops_of(Linear)
def linear_flops(layer: Linear, out: Tensor, x: Tensor) -> int:
    return out.numel() * 2 * layer.in_features


@flops_of(Conv2d)
def conv2d_flops(layer: Conv2d, out: Tensor, x: Tensor) -> int:
    places = len(x.data) * layer.out_channels * prod(x.shape[2:])
    return places * 2 * layer.in_channels // layer.groups * prod(layer.kernel_size)
