"""np.zeros makes numbers of the type that the framework uses."""
# loses: test-one-hot-product

# %% one-hot-product
def one_hot_product(weight: np.ndarray, ids: np.ndarray) -> np.ndarray:
    one_hot = np.zeros((len(ids), len(weight)))
    one_hot[np.arange(len(ids)), ids] = 1
    return one_hot @ weight
