"""The logits at place 0 say what comes next."""
# loses: test-extend

# %% extend
#| export
def extend(model: LanguageModel, ids: np.ndarray, steps: int, rng: np.random.Generator,
           options: dict[str, Any]) -> np.ndarray:
    for _ in range(steps):
        window = ids[:, -model.context :]  # (B, T), T at most the context
        logits = model(window).data[:, 0]
        drawn = sample(logits, rng, **options)  # (B,)
        ids = np.concatenate([ids, drawn[:, None]], axis=1)
    return ids
