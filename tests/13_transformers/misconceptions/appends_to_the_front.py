"""New ids stand before the text."""
# loses: test-extend, test-module-transformers

# %% extend
#| export
def extend(model: LanguageModel, ids: np.ndarray, steps: int, rng: np.random.Generator,
           options: dict[str, Any]) -> np.ndarray:
    for _ in range(steps):
        window = ids[:, -model.context :]  # (B, T), T at most the context
        logits = model(window).data[:, -1]  # (B, T, V) -> (B, V)
        drawn = sample(logits, rng, **options)  # (B,)
        ids = np.concatenate([drawn[:, None], ids], axis=1)
    return ids
