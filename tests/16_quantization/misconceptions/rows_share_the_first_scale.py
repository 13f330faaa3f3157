"""One scale serves the whole table."""
# loses: test-int8-conv, test-quantize-model

# %% int8-conv
#| export
def int8_conv(
    whole: np.ndarray, values: np.ndarray, window: Window, groups: int = 1
) -> np.ndarray:
    columns, kernels = Columns(whole.shape, window, groups), by_group(values, groups)
    y = np.zeros((len(values), whole.shape[1], columns.Ho, columns.Wo), np.float32)
    for section in columns.blocks:
        cols = columns.fill(whole[:, section])
        product = np.stack([int8_matmul(kernels[i], cols[i]) for i in range(groups)])
        y[:, section] = columns.crop(product)
    return y


def int8_rows(ids: np.ndarray, values: np.ndarray, scale: np.ndarray) -> np.ndarray:
    return dequantize_int8(values[ids], scale[0])
