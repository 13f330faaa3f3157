"""A line that is too long is cut to the context."""
# loses: test-positional-encoding

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
        length = x.shape[-2]
        x = x[..., : self.context, :]
        return x + self.table[:length]

    def extra_repr(self) -> str:
        return f"{self.context}, {self.d_model}, learned={self.learned}"
