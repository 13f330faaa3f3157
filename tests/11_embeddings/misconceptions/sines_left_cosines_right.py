"""The sines fill the left half of the table, the cosines the right half."""
# loses: test-sine-table

# %% sine-table
#| export
def sinusoidal_table(context: int, d_model: int) -> np.ndarray:
    speeds = 10000.0 ** (-np.arange(0, d_model, 2) / d_model)
    angles = np.arange(context)[:, None] * speeds
    table = np.empty((context, d_model), dtype=np.float32)
    table[:, : (d_model + 1) // 2] = np.sin(angles)
    table[:, (d_model + 1) // 2 :] = np.cos(angles[:, : d_model // 2])
    return table
