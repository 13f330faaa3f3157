"""A number is four bytes."""
# loses: test-model-bytes

# %% model-bytes
#| export
def count_bytes(arrays: list[np.ndarray]) -> int:
    owners = {id(owner_of(array)): owner_of(array) for array in arrays}
    return sum(4 * owner.size for owner in owners.values())
