"""Every array in the list weighs, also one that was there before."""
# loses: test-model-bytes

# %% model-bytes
#| export
def count_bytes(arrays: list[np.ndarray]) -> int:
    return sum(owner_of(array).nbytes for array in arrays)
