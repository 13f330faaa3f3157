"""A reader always has a multiple of the outputs before it, so there is nothing to refuse."""
# loses: test-inputs-that-stay

# %% inputs-that-stay
#| export
def inputs_that_stay(kept: np.ndarray, written: int, read: int) -> np.ndarray:
    run = read // written
    return (kept[:, None] * run + np.arange(run)).reshape(-1)
