"""It is enough to leave out the ids that are known: the cache finds the place by itself."""
# loses: test-remembering, test-module-memoization

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
        known = common_prefix(cache.known, ids)
        return wrap(advance(self.model, ids[:, known:], cache))  # (B, new, V)


def generate(model: GPT, ids: Any, max_new_tokens: int, temperature: float = 1.0,
             top_k: int | None = None, top_p: float | None = None, seed: Any = None) -> np.ndarray:
    remembering = Remembering(model)
    return remembering.generate(ids, max_new_tokens, temperature, top_k, top_p, seed)
