"""The larger of two sizes wins, so the answer is their maximum."""
# loses: test-broadcast-shape

# %% broadcast-shape
#| export
def broadcast_shape(a, b):
    width = max(len(a), len(b))
    pairs = list(zip((1,) * (width - len(a)) + a, (1,) * (width - len(b)) + b))
    if any(m != n and 1 not in (m, n) for m, n in pairs):
        raise ShapeError(f"shapes {a} and {b} do not broadcast")
    return tuple(max(m, n) for m, n in pairs)
