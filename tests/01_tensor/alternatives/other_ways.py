"""Every exercise solved in another way."""

# %% block
#| export
class Block:
    __slots__ = ("_data",)

    def __init__(self, data):
        self._data = np.asarray(data).astype("float32", copy=True)

    @property
    def shape(self):
        return tuple(self._data.shape)

    def numel(self):
        return prod(self.shape)

    def item(self):
        if self.numel() == 1:
            return float(self._data.reshape(-1)[0])
        raise ValueError(f"one element is needed, there are {self.numel()} in shape {self.shape}")

    def numpy(self):
        return np.array(self._data)

# %% strides
#| export
def row_strides(shape):
    return tuple(4 * prod(shape[axis + 1 :]) for axis in range(len(shape)))


def byte_offset(index, strides):
    offset = 0
    for axis, i in enumerate(index):
        offset += i * strides[axis]
    return offset

# %% arithmetic
#| export
@op
def add(a, b):
    return np.add(a, b)


@op
def sub(a, b):
    return np.subtract(a, b)


@op
def mul(a, b):
    return np.multiply(a, b)


@op
def div(a, b):
    return np.divide(a, b)


@op
def power(x, exponent):
    if isinstance(exponent, int) and 2 <= exponent <= 3:
        square = np.square(x)
        return square if exponent == 2 else x * square
    return np.power(x, exponent)

# %% broadcast-shape
#| export
def broadcast_shape(a, b):
    out = []
    for k in range(1, max(len(a), len(b)) + 1):
        m = a[-k] if k <= len(a) else 1
        n = b[-k] if k <= len(b) else 1
        if m == n or n == 1:
            out.insert(0, m)
        elif m == 1:
            out.insert(0, n)
        else:
            raise ShapeError(f"cannot combine {a} with {b}")
    return tuple(out)

# %% matmul-loops
def matmul_loops(a, b):
    result = np.zeros((len(a), len(b[0])), np.float32)
    for k in range(len(b)):
        for i in range(len(a)):
            for j in range(len(b[0])):
                result[i][j] = result[i][j] + a[i][k] * b[k][j]
    return result

# %% matmul
#| export
@op
def matmul(a, b):
    if not a.shape or not b.shape:
        raise ShapeError(f"{a.shape} @ {b.shape}: both sides need an axis")
    try:
        return np.matmul(a, b)
    except ValueError:
        raise ShapeError(f"{a.shape} @ {b.shape}: inner sizes differ") from None

# %% reduce-mean
#| export
@op
def reduce_mean(x, axis=None, keepdims=False):
    return np.mean(x, axis=axis, keepdims=keepdims)

# %% reduce-var
#| export
@op
def reduce_var(x, axis=None, keepdims=False):
    return np.mean(np.square(x - np.mean(x, axis=axis, keepdims=True)), axis=axis, keepdims=keepdims)

# %% infer-shape
#| export
def infer_shape(count, shape):
    try:
        fits = np.broadcast_to(np.float32(0), (count,)).reshape(shape)
    except ValueError:
        raise ShapeError(f"{count} numbers do not fit {shape}") from None
    return fits.shape

# %% cat-arrays
#| export
def cat_arrays(blocks, axis):
    first = blocks[0]
    axis = axis % first.ndim
    total = sum(b.shape[axis] for b in blocks)
    result = np.zeros((*first.shape[:axis], total, *first.shape[axis + 1 :]), dtype=np.float32)
    offset = 0
    for block in blocks:
        place = [slice(None)] * first.ndim
        place[axis] = slice(offset, offset + block.shape[axis])
        result[tuple(place)] = block
        offset += block.shape[axis]
    return result

# %% squared-distances
#| export
def squared_distances(a, b):
    gap = a.unsqueeze(1) - b.unsqueeze(0)
    return (gap * gap).sum(axis=-1)
