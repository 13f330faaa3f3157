"""The bytes of a number lie in the order of my processor."""
# loses: test-parse-idx

# %% parse-idx
#| export
def parse_idx(content: np.ndarray) -> np.ndarray:
    if len(content) < 4 or content[0] or content[1] or int(content[2]) not in IDX_TYPES:
        raise ValueError(f"not an IDX file: it begins with the bytes {content[:4].tolist()}.")
    dtype, start = np.dtype(IDX_TYPES[int(content[2])]), 4 + 4 * int(content[3])
    if len(content) < start:
        raise ValueError(f"the file ends inside its header: {len(content)} of {start} bytes.")
    shape = tuple(content[4:start].view("<u4").tolist())
    promised = start + prod(shape) * dtype.itemsize
    if len(content) != promised:
        raise ValueError(f"the file has {len(content)} bytes, but shape {shape} needs {promised}.")
    return content[start:].view(dtype).astype(dtype.newbyteorder("=")).reshape(shape)
