"""The missing size is the count divided by the rest; what is left over does not matter."""
# loses: test-infer-shape

# %% infer-shape
#| export
def infer_shape(count, shape):
    known = prod(n for n in shape if n != -1)
    return tuple(count // known if n == -1 else n for n in shape)
