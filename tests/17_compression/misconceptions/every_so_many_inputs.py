"""The inputs of one channel stand as far apart as there are channels."""
# loses: test-inputs-that-stay

# %% inputs-that-stay
#| export
def inputs_that_stay(kept: np.ndarray, written: int, read: int) -> np.ndarray:
    if read % written:
        raise ShapeError(f"{read} inputs are no multiple of the {written} outputs before them.")
    run = read // written
    return (kept[:, None] + written * np.arange(run)).reshape(-1)
