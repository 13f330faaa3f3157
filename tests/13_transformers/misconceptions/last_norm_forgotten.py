"""The blocks have norms enough."""
# loses: test-gpt, test-module-transformers

# %% gpt
#| export
class GPT(LanguageModel):

    def __init__(self, vocab_size: int, context: int, d_model: int, num_layers: int,
                 num_heads: int, dropout: float = 0.0, seed: Any = None) -> None:
        check_gpt(vocab_size=vocab_size, context=context, d_model=d_model, num_layers=num_layers,
                  num_heads=num_heads)
        self.vocab_size, self.context = vocab_size, context
        self.embedding = Embedding(vocab_size, d_model)
        self.positions = PositionalEncoding(context, d_model, learned=True)
        self.dropout = Dropout(dropout)
        self.blocks = [TransformerBlock(d_model, num_heads, dropout) for _ in range(num_layers)]
        self.norm = LayerNorm(d_model)
        initialise(self, num_layers, random_source(seed))

    def forward(self, ids: Any) -> Tensor:
        ids = check_text(ids, self.context)
        x = self.embedding(ids)  # (B, T) -> (B, T, C)
        x = self.dropout(self.positions(x))
        for block in self.blocks:
            x = block(x)
        return linear(x, self.embedding.weight)  # (B, T, C) @ (C, V) -> (B, T, V)
