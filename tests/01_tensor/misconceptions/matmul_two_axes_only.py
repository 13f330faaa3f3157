"""A matrix has two axes, so its columns are always axis 1."""
# loses: test-matmul, test-module-tensor

# %% matmul
#| export
@op
def matmul(a, b):
    if a.ndim == 0 or b.ndim == 0 or a.shape[1] != b.shape[0]:
        raise ShapeError(f"matmul: shapes {a.shape} and {b.shape} do not fit")
    return a @ b
