"""The smallest weights are the most negative ones."""
# loses: test-magnitude-mask, test-global-masks, test-module-compression

# %% magnitude-mask
#| export
def magnitude_mask(weight: np.ndarray, sparsity: float) -> np.ndarray:
    gone = round(sparsity * weight.size)
    order = np.argsort(weight.reshape(-1), kind="stable")
    mask = np.ones(weight.size, bool)
    mask[order[:gone]] = False
    return mask.reshape(weight.shape)
