"""An embedding starts uniform in +-1/sqrt(C), as Linear does."""
# loses: test-embedding-layer

# %% embedding-layer
#| export
class Embedding(Module):

    def __init__(
        self, num_embeddings: int, embedding_dim: int, padding_idx: int | None = None
    ) -> None:
        check_table("Embedding", (num_embeddings, embedding_dim), padding_idx)
        self.num_embeddings, self.embedding_dim = num_embeddings, embedding_dim
        self.padding_idx = padding_idx
        self.weight = None
        weight = generator().uniform(-1, 1, size=(num_embeddings, embedding_dim)) / embedding_dim**0.5
        if padding_idx is not None:
            weight[padding_idx] = 0
        self.weight = Parameter(weight)

    def forward(self, ids: Any) -> Tensor:
        return embedding(ids, self.weight, self.padding_idx)

    def extra_repr(self) -> str:
        padding = "" if self.padding_idx is None else f", padding_idx={self.padding_idx}"
        return f"{self.num_embeddings}, {self.embedding_dim}{padding}"
