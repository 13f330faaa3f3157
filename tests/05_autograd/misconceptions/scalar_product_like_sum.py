"""Every operation hands the gradient on as it came, so the slopes of a product are 1 and 1."""
# loses: test-scalar-product, test-scalar-walk

# %% scalar-product
def multiply(a, b):
    return Scalar(a.data * b.data, (a, b), (1.0, 1.0))
