"""The feed-forward layer reads the stream itself."""
# loses: test-block-step, test-advance, test-remembering, test-module-memoization

# %% block-step
#| export
def block_step(block: TransformerBlock, rows: np.ndarray, cache: KVCache, layer: int) -> np.ndarray:
    N, C = rows.shape
    B, H = cache.batch_size, block.attention.num_heads
    parts = packed(block.attention, through(block.norm1, rows)).reshape(B, N // B, 3, H, C // H)
    q, k, v = parts.transpose(2, 0, 3, 1, 4)  # (B, T, 3, H, d) -> 3 of (B, H, T, d)
    keys, values = cache.append(layer, k, v)  # (B, H, S, d)
    found = attend_new(q, keys, values)  # (B, H, T, d)
    found = found.swapaxes(1, 2).reshape(N, C)  # (B, T, H, d) -> (B * T, C)
    rows = rows + through(block.attention.out_proj, found)
    return rows + through(block.feed_forward, rows)
