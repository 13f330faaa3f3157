"""The pieces are as many as the whole fits."""
# loses: test-gelu-pieces, test-block

# %% gelu-pieces
#| export
PIECE = 1 << 15  # elements: 128 KiB, and a few such arrays are in use at a time
gelu_arrays = gelu.__wrapped__  # module 02's function itself: array -> (result, tanh)


def gelu_in_pieces(
    x: np.ndarray, piece: int = PIECE, with_slope: bool = True
) -> tuple[np.ndarray, np.ndarray | None]:
    y, one = np.zeros_like(x), np.float32(1)
    slope = np.zeros_like(x) if with_slope else None
    for start in range(0, x.size - piece + 1, piece):
        part = slice(start, start + piece)
        y[part], t = gelu_arrays(x[part])
        if with_slope:
            slope[part] = gelu_x(one, x[part], t)
    return y, slope
