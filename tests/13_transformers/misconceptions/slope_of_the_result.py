"""The rule takes the result in the place of x."""
# loses: test-gelu-pieces, test-module-transformers

# %% gelu-pieces
#| export
PIECE = 1 << 15  # elements: 128 KiB, and a few such arrays are in use at a time
gelu_arrays = gelu.__wrapped__  # module 02's function itself: array -> (result, tanh)


def gelu_in_pieces(
    x: np.ndarray, piece: int = PIECE, with_slope: bool = True
) -> tuple[np.ndarray, np.ndarray | None]:
    y, one = np.empty_like(x), np.float32(1)
    slope = np.empty_like(x) if with_slope else None
    for start in range(0, x.size, piece):
        part = slice(start, start + piece)
        y[part], t = gelu_arrays(x[part])
        if with_slope:
            slope[part] = gelu_x(one, y[part], t)
    return y, slope
