"""What NumPy has need not be written again."""
# loses: test-broadcast-shape, test-matmul-loops, test-reduce-var, test-cat-arrays

# %% broadcast-shape
#| export
def broadcast_shape(a, b):
    try:
        return np.broadcast_shapes(a, b)
    except ValueError:
        raise ShapeError(f"{a} and {b} do not broadcast") from None

# %% matmul-loops
def matmul_loops(a, b):
    return a @ b

# %% reduce-var
#| export
@op
def reduce_var(x, axis=None, keepdims=False):
    return x.var(axis=axis, keepdims=keepdims)

# %% cat-arrays
#| export
def cat_arrays(blocks, axis):
    return np.concatenate(blocks, axis=axis)
