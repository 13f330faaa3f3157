"""The mean may be taken before the bend: it is linear."""
# loses: test-tied-model

# %% tied-model
class MissingWord(Module):

    def __init__(self, vocab_size: int, context: int, d_model: int, hidden: int) -> None:
        self.embedding = Embedding(vocab_size, d_model)
        normal_(self.embedding.weight, std=1 / sqrt(d_model))
        self.positions = PositionalEncoding(context, d_model)
        self.hidden, self.output = Linear(d_model, hidden), Linear(hidden, d_model)

    def forward(self, ids: np.ndarray) -> Tensor:
        C = self.embedding.embedding_dim
        x = self.positions(self.embedding(ids) * sqrt(C))
        h = relu(self.hidden(x.mean(axis=1)))
        return linear(self.output(h), self.embedding.weight)
