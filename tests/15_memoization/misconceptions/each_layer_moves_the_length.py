"""The length moves with every layer."""
# loses: test-advance, test-remembering, test-module-memoization

# %% advance
#| export
def advance(model: GPT, ids: Any, cache: KVCache) -> np.ndarray:
    ids = check_step(model, ids, cache)
    start, stop = cache.length, cache.length + ids.shape[1]
    with no_grad():
        x = raw(model.embedding(ids)) + raw(model.positions.table)[start:stop]  # (B, T, C)
        rows = x.reshape(-1, x.shape[2])  # (B * T, C)
        for layer, block in enumerate(model.blocks):
            rows = block_step(block, rows, cache, layer)
            cache.length = stop
        rows = through(model.norm, rows)
        logits = product(rows, model.embedding.weight)  # (B * T, C) @ (C, V) -> (B * T, V)
        cache.ids[:, start:stop] = ids
        cache.length = stop
        return logits.reshape(*ids.shape, -1)  # (B, T, V)
