"""Dropping means setting to zero; the rest stays as it is."""
# loses: test-dropout

# %% dropout
#| export
def dropout(x, p=0.5, training=True):
    check_probability(p)
    if not training or p == 0:
        return x
    return x * (generator().random(x.shape) >= p).astype(np.float32)
