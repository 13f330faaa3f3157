"""Each layer loses the same share."""
# loses: test-global-masks

# %% global-masks
#| export
def global_masks(arrays: Sequence[np.ndarray], sparsity: float) -> list[np.ndarray]:
    return [magnitude_mask(array, sparsity) for array in arrays]
