"""`.T` transposes each matrix of a stack."""
# loses: test-product-gradients, test-conv2d-backward, test-module-spatial

# %% product-gradients
#| export
def kernels_gradient(g: np.ndarray, cols: np.ndarray) -> np.ndarray:
    return (cols @ g.swapaxes(1, 2)).T


def columns_gradient(g: np.ndarray, kernels: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
    return np.matmul(kernels.swapaxes(1, 2), g, out=out)
