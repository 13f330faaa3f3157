"""The grid reaches equally far on both sides of 0."""
# loses: test-straight-through

# %% straight-through
#| export
def inside_grid(x: np.ndarray, grid: tuple[Any, Any, int]) -> np.ndarray:
    scale, zero_point, bits = grid
    top = 2 ** (bits - 1) - 1
    whole = np.rint(x / scale)
    return (-top - 1 <= whole) & (whole <= top)


def int8_linear_gradient(
    g: np.ndarray, inside: np.ndarray, values: np.ndarray, weight_scale: np.ndarray
) -> np.ndarray:
    rows = g * weight_scale.T
    return int8_matmul(values.T, rows.T).T * inside
