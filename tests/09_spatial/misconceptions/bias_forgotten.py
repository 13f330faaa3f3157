"""A bias makes no difference."""
# loses: test-conv2d-forward, test-module-spatial

# %% conv2d-forward
#| export
def conv2d_forward(x: np.ndarray, kernels: np.ndarray, bias: Any, columns: Columns) -> np.ndarray:
    groups, per_group, _ = kernels.shape
    y = np.empty((groups * per_group, x.shape[1], columns.Ho, columns.Wo), np.float32)
    for block in columns.blocks:
        cols = columns.im2col(x[:, block])
        product = kernels @ cols
        np.add(columns.crop(product), 0, out=y[:, block])
    return y
