"""The texts of a batch share their keys and values."""
# loses: test-cache-bytes

# %% cache-bytes
#| export
def cache_bytes(num_layers: int, batch_size: int, places: int, d_model: int) -> int:
    return 2 * num_layers * places * d_model * 4
