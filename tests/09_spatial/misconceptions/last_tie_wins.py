"""Of two equal pixels it does not matter which one wins."""
# loses: test-max-pool-forward

# %% max-pool-forward
#| export
def max_pool_forward(view: np.ndarray, find_winner: bool = True) -> tuple[np.ndarray, np.ndarray | None]:
    best = view[:, 0, 0].copy()
    winner = np.zeros(best.shape, np.uint8) if find_winner else None
    for number, (i, j) in enumerate(np.ndindex(view.shape[1:3])):
        if number and find_winner:
            pixel = view[:, i, j].copy()
            np.maximum(winner, (pixel >= best) * np.uint8(number), out=winner)
            np.maximum(best, pixel, out=best)
        elif number:
            np.maximum(best, view[:, i, j], out=best)
    return best, winner
