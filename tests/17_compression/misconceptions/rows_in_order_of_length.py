"""The rows come in the order of their length."""
# loses: test-strongest-rows

# %% strongest-rows
#| export
def strongest_rows(weight: np.ndarray, prune_ratio: float) -> np.ndarray:
    lengths = np.linalg.norm(weight.reshape(len(weight), -1), axis=1)  # (out,)
    order = np.argsort(lengths, kind="stable")
    return order[round(prune_ratio * len(weight)) :]
