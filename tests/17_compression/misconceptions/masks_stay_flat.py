"""A mask may stay a flat row."""
# loses: test-global-masks, test-module-compression

# %% global-masks
#| export
def global_masks(arrays: Sequence[np.ndarray], sparsity: float) -> list[np.ndarray]:
    row = np.concatenate([array.reshape(-1) for array in arrays])
    ends = np.cumsum([array.size for array in arrays])[:-1]
    parts = np.split(magnitude_mask(row, sparsity), ends)
    return list(parts)
