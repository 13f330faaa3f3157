"""Angles may be float32, since the table is."""
# loses: test-sine-table

# %% sine-table
#| export
def sinusoidal_table(context: int, d_model: int) -> np.ndarray:
    speeds = np.float32(10000.0 ** (-np.arange(0, d_model, 2) / d_model))
    angles = np.arange(context, dtype=np.float32)[:, None] * speeds
    table = np.empty((context, d_model), dtype=np.float32)
    table[:, 0::2] = np.sin(angles)
    table[:, 1::2] = np.cos(angles[:, : d_model // 2])
    return table
