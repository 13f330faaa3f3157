"""The rows of b are its first axis."""
# loses: test-matmul

# %% matmul
#| export
@op
def matmul(a, b):
    if a.ndim == 0 or b.ndim == 0 or a.shape[-1] != b.shape[0]:
        raise ShapeError(f"matmul: {a.shape[-1:]} columns of {a.shape} meet {b.shape[:1]} rows of {b.shape}")
    return a @ b
