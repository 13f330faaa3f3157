"""The last product of the inner loop is the answer."""
# loses: test-matmul-loops

# %% matmul-loops
def matmul_loops(a, b):
    c = np.zeros((a.shape[0], b.shape[1]), dtype=np.float32)
    for i in range(a.shape[0]):
        for j in range(b.shape[1]):
            for k in range(a.shape[1]):
                c[i, j] = a[i, k] * b[k, j]
    return c
