"""The work is twice the number of weights, however many rows there are."""
# loses: test-product-flops, test-module-profiling

# %% product-flops
#| export
@flops_of(Linear)
def linear_flops(layer: Linear, out: Tensor, x: Tensor) -> int:
    return 2 * layer.weight.numel()


@flops_of(Conv2d)
def conv2d_flops(layer: Conv2d, out: Tensor, x: Tensor) -> int:
    return 2 * layer.weight.numel()
