"""The mask is True for what is removed."""
# loses: test-magnitude-mask, test-global-masks, test-module-compression

# %% magnitude-mask
#| export
def magnitude_mask(weight: np.ndarray, sparsity: float) -> np.ndarray:
    gone = round(sparsity * weight.size)
    order = np.argsort(np.abs(weight).reshape(-1), kind="stable")
    mask = np.zeros(weight.size, bool)
    mask[order[:gone]] = True
    return mask.reshape(weight.shape)
