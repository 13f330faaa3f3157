"""A number takes one byte."""
# loses: test-cache-bytes

# %% cache-bytes
#| export
def cache_bytes(num_layers: int, batch_size: int, places: int, d_model: int) -> int:
    return 2 * num_layers * batch_size * places * d_model
