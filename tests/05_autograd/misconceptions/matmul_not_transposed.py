"""The derivative of a @ b for a is b, as with numbers."""
# loses: test-rules-matmul, test-module-autograd

# %% rules-matmul
#| export
def matmul_grad_a(g, b):
    return b @ g if b.shape[-1] == g.shape[-2] else g @ np.ones_like(b).swapaxes(-1, -2)

def matmul_grad_b(g, a):
    return a.swapaxes(-1, -2) @ g
