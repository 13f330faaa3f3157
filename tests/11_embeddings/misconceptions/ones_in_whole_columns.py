"""one_hot[:, ids] = 1 sets one element in each row."""
# loses: test-one-hot-product

# %% one-hot-product
def one_hot_product(weight: np.ndarray, ids: np.ndarray) -> np.ndarray:
    one_hot = np.zeros((len(ids), len(weight)), dtype=np.float32)
    one_hot[:, ids] = 1
    return one_hot @ weight
