"""The model crops the text itself."""
# loses: test-extend, test-gpt, test-module-transformers

# %% extend
#| export
def extend(model: LanguageModel, ids: np.ndarray, steps: int, rng: np.random.Generator,
           options: dict[str, Any]) -> np.ndarray:
    for _ in range(steps):
        window = ids
        logits = model(window).data[:, -1]  # (B, T, V) -> (B, V)
        drawn = sample(logits, rng, **options)  # (B,)
        ids = np.concatenate([ids, drawn[:, None]], axis=1)
    return ids
