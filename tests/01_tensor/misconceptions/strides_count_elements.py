"""A stride counts elements, so the last one is 1."""
# loses: test-strides

# %% strides
#| export
def row_strides(shape):
    strides, step = [], 1
    for size in reversed(shape):
        strides.insert(0, step)
        step *= size
    return tuple(strides)


def byte_offset(index, strides):
    return sum(i * stride for i, stride in zip(index, strides))
