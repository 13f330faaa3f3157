"""Evaluation makes up for it: there every activation is multiplied by 1 - p."""
# loses: test-dropout, test-module-layers

# %% dropout
#| export
def dropout(x, p=0.5, training=True):
    check_probability(p)
    if not training:
        return x * (1 - p)
    return x * (generator().random(x.shape) >= p).astype(np.float32)
