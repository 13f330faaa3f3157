"""A row is as strong as its sum."""
# loses: test-strongest-rows

# %% strongest-rows
#| export
def strongest_rows(weight: np.ndarray, prune_ratio: float) -> np.ndarray:
    lengths = weight.reshape(len(weight), -1).sum(axis=1)  # (out,)
    order = np.argsort(lengths, kind="stable")
    return np.sort(order[round(prune_ratio * len(weight)) :])
