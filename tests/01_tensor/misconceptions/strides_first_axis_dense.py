"""The first axis is the dense one, and each later one jumps farther."""
# loses: test-strides

# %% strides
#| export
def row_strides(shape):
    strides, step = [], 4
    for size in shape:
        strides.append(step)
        step *= size
    return tuple(strides)


def byte_offset(index, strides):
    return sum(i * stride for i, stride in zip(index, strides))
