"""Blocks fit into the rows without a rest."""
# loses: test-int8-matmul, test-straight-through, test-quantize-model, test-module-quantization

# %% int8-matmul
#| export
BLOCK = 1 << 18  # numbers in the float32 buffer: 1 MiB, which the cache of a core holds


def block_rows(out: int, K: int) -> int:
    return max(1, min(-(-out // 4), BLOCK // max(K, 1)))


def int8_matmul(values: np.ndarray, columns: np.ndarray) -> np.ndarray:
    out, K = values.shape
    rows = block_rows(out, K)
    buffer = np.empty((rows, K), np.float32)
    sums = np.zeros((out, columns.shape[1]), np.float32)
    for start in range(0, out - rows + 1, rows):
        buffer[...] = values[start : start + rows]
        np.matmul(buffer, columns, out=sums[start : start + rows])
    return sums
