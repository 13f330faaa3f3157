"""Matrices are square, so one size serves all three loops."""
# loses: test-matmul-loops

# %% matmul-loops
def matmul_loops(a, b):
    n = len(a)
    c = np.zeros((n, n), dtype=np.float32)
    for i in range(n):
        for j in range(n):
            for k in range(n):
                c[i, j] += a[i, k] * b[k, j]
    return c
