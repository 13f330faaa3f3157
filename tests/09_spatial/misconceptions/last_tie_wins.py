"""Of two equal pixels it does not matter which one wins."""
# loses: test-max-pool-forward
# says: of the two fives the first wins

# %% max-pool-forward
#| export
def max_pool_forward(view: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    best = view[:, 0, 0].copy()
    winner = np.zeros(best.shape, np.uint8)
    places = list(np.ndindex(view.shape[1:3]))
    for number in range(1, len(places)):
        i, j = places[number]
        pixel = view[:, i, j].copy()
        np.maximum(winner, (pixel >= best) * np.uint8(number), out=winner)
        np.maximum(best, pixel, out=best)
    return best, winner
