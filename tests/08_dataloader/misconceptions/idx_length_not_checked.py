"""A file is as long as its header says."""
# loses: test-parse-idx

# %% parse-idx
#| export
def parse_idx(content: np.ndarray) -> np.ndarray:
    if len(content) < 4 or content[0] or content[1] or int(content[2]) not in IDX_TYPES:
        raise ValueError(f"not an IDX file: it begins with the bytes {content[:4].tolist()}.")
    dtype, start = np.dtype(IDX_TYPES[int(content[2])]), 4 + 4 * int(content[3])
    if len(content) < start:
        raise ValueError(f"the file ends inside its header: {len(content)} of {start} bytes.")
    shape = tuple(content[4:start].view(">u4").tolist())
    return content[start : start + prod(shape) * dtype.itemsize].view(dtype).astype(dtype.newbyteorder("=")).reshape(shape)
