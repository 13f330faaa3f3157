"""A view weighs as much as the numbers that it shows."""
# loses: test-model-bytes

# %% model-bytes
#| export
def count_bytes(arrays: list[np.ndarray]) -> int:
    return sum({id(array): array.nbytes for array in arrays}.values())
