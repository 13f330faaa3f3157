"""A maximum has the type of its pixels."""
# loses: test-max-pool-forward

# %% max-pool-forward
#| export
def max_pool_forward(view: np.ndarray, find_winner: bool = True) -> tuple[np.ndarray, np.ndarray | None]:
    flat = np.moveaxis(view, (1, 2), (-2, -1)).reshape(view.shape[0], *view.shape[3:], -1)
    return flat.max(axis=-1), flat.argmax(axis=-1).astype(np.uint8) if find_winner else None
