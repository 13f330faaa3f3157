"""A block hands on what it found."""
# loses: test-block, test-module-transformers

# %% block
#| export
class FeedForward(Module):

    def __init__(self, d_model: int, hidden: int | None = None, dropout: float = 0.0) -> None:
        hidden = 4 * d_model if hidden is None else hidden
        self.up = Linear(d_model, hidden)
        self.down = Linear(hidden, d_model)
        self.dropout = Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        h = PiecewiseGELU.apply(self.up(x))  # (B, T, C) -> (B, T, hidden)
        return self.dropout(self.down(h))  # (B, T, hidden) -> (B, T, C)


class TransformerBlock(Module):

    def __init__(self, d_model: int, num_heads: int, dropout: float = 0.0) -> None:
        self.norm1 = LayerNorm(d_model)
        self.attention = MultiHeadAttention(d_model, num_heads, dropout)
        self.dropout = Dropout(dropout)
        self.norm2 = LayerNorm(d_model)
        self.feed_forward = FeedForward(d_model, dropout=dropout)

    def forward(self, x: Tensor, is_causal: bool = True) -> Tensor:
        found = self.attention(self.norm1(x), is_causal=is_causal)
        x = self.dropout(found)
        return self.feed_forward(self.norm2(x))
