"""Sparsity is the share of the weights that stay."""
# loses: test-magnitude-mask, test-global-masks, test-module-compression

# %% magnitude-mask
#| export
def magnitude_mask(weight: np.ndarray, sparsity: float) -> np.ndarray:
    gone = round((1 - sparsity) * weight.size)
    order = np.argsort(np.abs(weight).reshape(-1), kind="stable")
    mask = np.ones(weight.size, bool)
    mask[order[:gone]] = False
    return mask.reshape(weight.shape)
