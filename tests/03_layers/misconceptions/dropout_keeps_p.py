"""p is the probability that a unit lives."""
# loses: test-dropout

# %% dropout
#| export
def dropout(x, p=0.5, training=True):
    check_probability(p)
    if not training or p == 0:
        return x
    kept = generator().random(x.shape, dtype=np.float32) < p
    return x * (kept * np.float32(1 / p))
