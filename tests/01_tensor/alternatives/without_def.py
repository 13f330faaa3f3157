"""Functions that no `def` of their name makes."""

# %% strides
#| export
class Rows:
    @staticmethod
    def strides(shape):
        return tuple(4 * prod(shape[axis + 1 :]) for axis in range(len(shape)))


row_strides = Rows.strides
byte_offset = lambda index, strides: sum(i * stride for i, stride in zip(index, strides, strict=True))

# %% broadcast-shape
#| export
broadcast_shape = lambda *shapes: _joined(shapes)


def _joined(shapes):
    longest = max(map(len, shapes), default=0)
    padded = [(1,) * (longest - len(shape)) + tuple(shape) for shape in shapes]
    joined = []
    for sizes in zip(*padded, strict=True):
        kinds = {size for size in sizes if size != 1} or {1}
        if len(kinds) > 1:
            raise ShapeError(f"cannot broadcast {shapes[0]} with {shapes[1]}: {sizes}")
        joined.append(kinds.pop())
    return tuple(joined)
