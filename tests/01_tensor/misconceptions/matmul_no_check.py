"""NumPy already complains when shapes do not fit, so there is nothing to check."""
# loses: test-matmul

# %% matmul
#| export
@op
def matmul(a, b):
    return np.dot(a, b) if a.ndim == 0 or b.ndim == 0 else a @ b
