"""Each column turns at a speed of its own, also the cosine of a pair."""
# loses: test-sine-table

# %% sine-table
#| export
def sinusoidal_table(context: int, d_model: int) -> np.ndarray:
    speeds = 10000.0 ** (-np.arange(d_model) / d_model)
    angles = np.arange(context)[:, None] * speeds
    table = np.empty((context, d_model), dtype=np.float32)
    table[:, 0::2] = np.sin(angles[:, 0::2])
    table[:, 1::2] = np.cos(angles[:, 1::2])
    return table
