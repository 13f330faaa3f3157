"""The slope of a product for a is a, and for b it is b."""
# loses: test-scalar-product, test-scalar-walk

# %% scalar-product
def multiply(a, b):
    return Scalar(a.data * b.data, (a, b), (a.data, b.data))
