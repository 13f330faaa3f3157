"""Dropout is a layer like any other and does the same whenever it is called."""
# loses: test-dropout, test-module-layers

# %% dropout
#| export
def dropout(x, p=0.5, training=True):
    check_probability(p)
    kept = generator().random(x.shape, dtype=np.float32) >= p
    return x * (kept * np.float32(1 / (1 - p)))
