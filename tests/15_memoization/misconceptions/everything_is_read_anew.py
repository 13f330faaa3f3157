"""Each window is read as a whole."""
# loses: test-remembering

# %% remembering
#| export
class Remembering(LanguageModel):

    def __init__(self, model: GPT) -> None:
        self.model, self.cache = model, KVCache(model)
        self.context, self.vocab_size = model.context, model.vocab_size

    def forward(self, ids: Any) -> Tensor:
        ids = check_text(ids, self.context)
        if len(ids) != self.cache.batch_size:
            self.cache = KVCache(self.model, len(ids))
        cache = self.cache
        cache.clear()
        return wrap(advance(self.model, ids, cache))  # (B, new, V)


def generate(model: GPT, ids: Any, max_new_tokens: int, temperature: float = 1.0,
             top_k: int | None = None, top_p: float | None = None, seed: Any = None) -> np.ndarray:
    remembering = Remembering(model)
    return remembering.generate(ids, max_new_tokens, temperature, top_k, top_p, seed)
