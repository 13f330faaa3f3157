"""The gradient meets the whole numbers, without their scales."""
# loses: test-straight-through, test-quantized-linear

# %% straight-through
#| export
def inside_grid(x: np.ndarray, grid: tuple[Any, Any, int]) -> np.ndarray:
    scale, zero_point, bits = grid
    top = 2 ** (bits - 1) - 1
    whole = np.rint(x / scale) + zero_point
    return (-top - 1 <= whole) & (whole <= top)


def int8_linear_gradient(
    g: np.ndarray, inside: np.ndarray, values: np.ndarray, weight_scale: np.ndarray
) -> np.ndarray:
    return int8_matmul(values.T, g.T).T * inside
