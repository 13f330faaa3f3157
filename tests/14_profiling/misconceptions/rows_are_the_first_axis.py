"""The first axis says how many rows there are."""
# loses: test-product-flops, test-module-profiling

# %% product-flops
#| export
@flops_of(Linear)
def linear_flops(layer: Linear, out: Tensor, x: Tensor) -> int:
    return 2 * x.shape[0] * layer.in_features * layer.out_features


@flops_of(Conv2d)
def conv2d_flops(layer: Conv2d, out: Tensor, x: Tensor) -> int:
    return 2 * out.numel() * (layer.in_channels // layer.groups) * prod(layer.kernel_size)
