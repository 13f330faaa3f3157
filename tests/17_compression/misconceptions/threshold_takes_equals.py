"""Everything up to the threshold goes, equals of it too."""
# loses: test-magnitude-mask

# %% magnitude-mask
#| export
def magnitude_mask(weight: np.ndarray, sparsity: float) -> np.ndarray:
    gone = round(sparsity * weight.size)
    if not gone:
        return np.ones(weight.shape, bool)
    edge = np.sort(np.abs(weight), axis=None)[gone - 1]
    return np.abs(weight) > edge
