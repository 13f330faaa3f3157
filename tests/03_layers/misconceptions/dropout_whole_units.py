"""A unit is dropped for the whole batch: one mask for all rows."""
# loses: test-dropout

# %% dropout
#| export
def dropout(x, p=0.5, training=True):
    check_probability(p)
    if not training or p == 0:
        return x
    kept = generator().random((*x.shape[:1], *[1] * (x.ndim - 1))) >= p
    return x * (kept * np.float32(1 / (1 - p)))
