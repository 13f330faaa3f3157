"""The first axis counts the places."""
# loses: test-module-embeddings, test-positional-encoding, test-tied-model

# %% positional-encoding
#| export
class PositionalEncoding(Module):

    def __init__(self, context: int, d_model: int, learned: bool = False) -> None:
        check_table("PositionalEncoding", (context, d_model))
        self.context, self.d_model, self.learned = context, d_model, learned
        if learned:
            self.table = Parameter(generator().normal(scale=0.02, size=(context, d_model)))
        else:
            self.table = sinusoidal_table(context, d_model)

    def forward(self, x: Tensor) -> Tensor:
        if x.ndim < 2 or x.shape[-1] != self.d_model:
            raise ShapeError(
                f"PositionalEncoding: x of shape {x.shape} is not (..., T, {self.d_model})."
            )
        length = x.shape[0]
        if length > self.context:
            raise ShapeError(
                f"PositionalEncoding: a sequence of {length} is longer than the context of "
                f"{self.context}: cut it, or build the layer with a larger context."
            )
        return x + self.table[:length]

    def extra_repr(self) -> str:
        return f"{self.context}, {self.d_model}, learned={self.learned}"
