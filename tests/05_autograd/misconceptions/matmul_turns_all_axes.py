""".T is the transpose, for batches as well."""
# loses: test-rules-matmul

# %% rules-matmul
#| export
def matmul_grad_a(g, b):
    return g @ b.T

def matmul_grad_b(g, a):
    return a.T @ g
