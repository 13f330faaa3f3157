"""Each output has one input in its reader."""
# loses: test-inputs-that-stay

# %% inputs-that-stay
#| export
def inputs_that_stay(kept: np.ndarray, written: int, read: int) -> np.ndarray:
    if read % written:
        raise ShapeError(f"{read} inputs are no multiple of the {written} outputs before them.")
    return kept
