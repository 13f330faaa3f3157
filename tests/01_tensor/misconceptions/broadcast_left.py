"""Shapes are read from the left, as text is."""
# loses: test-broadcast-shape

# %% broadcast-shape
#| export
def broadcast_shape(a, b):
    width = max(len(a), len(b))
    a = a + (1,) * (width - len(a))
    b = b + (1,) * (width - len(b))
    for m, n in zip(a, b):
        if m != n and m != 1 and n != 1:
            raise ShapeError(f"shapes {a} and {b} do not broadcast")
    return tuple(n if m == 1 else m for m, n in zip(a, b))
