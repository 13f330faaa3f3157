"""Every exercise solved in another way."""

# %% output-size
#| export
def output_size(size, kernel, stride=1, padding=0, dilation=1):
    last = size + padding - dilation * (kernel - 1)
    places = len(range(-padding, last, stride))
    if not places:
        raise ShapeError(f"{dilation * (kernel - 1) + 1} pixels of window, {size + 2 * padding} of image")
    return places

# %% conv2d-loops
def conv2d_loops(x, weight, bias, stride=1, padding=0):
    N, _, H, W = x.shape
    out, _, k, _ = weight.shape
    Ho, Wo = (H + 2 * padding - k) // stride + 1, (W + 2 * padding - k) // stride + 1
    y = np.empty((N, out, Ho, Wo), np.float32)
    for n in range(N):
        for o in range(out):
            for h in range(Ho):
                for w in range(Wo):
                    total = 0.0
                    for c in range(x.shape[1]):
                        for i in range(k):
                            for j in range(k):
                                row, column = h * stride + i - padding, w * stride + j - padding
                                if 0 <= row < H and 0 <= column < W:
                                    total += float(x[n, c, row, column]) * float(weight[o, c, i, j])
                    y[n, o, h, w] = total + bias[o]
    return y

# %% windows
#| export
def windows(x, window, grid):
    strides = list(x.strides[:1])
    strides += [gap * step for gap, step in zip(window.dilation, x.strides[2:])]
    strides += [x.strides[1]]
    strides += [move * step for move, step in zip(window.stride, x.strides[2:])]
    return strided(x, shape=x.shape[:1] + tuple(window.kernel) + x.shape[1:2] + tuple(grid), strides=tuple(strides))

# %% im2col
#| export
def im2col(x, window):
    C, N, H, W = x.shape
    (kh, kw), (Ho, Wo) = window.kernel, window.output(H, W)
    (top, left), (down, right), (gap_down, gap_right) = window.padding, window.stride, window.dilation
    padded = np.pad(x, ((0, 0), (0, 0), (top, top), (left, left)))
    cols = np.empty((C, kh * kw, N, Ho, Wo), np.float32)
    for number, (i, j) in enumerate(np.ndindex(kh, kw)):
        part = padded[:, :, i * gap_down :: down, j * gap_right :: right]
        cols[:, number] = part[:, :, :Ho, :Wo]
    return cols.reshape(C * kh * kw, N * Ho * Wo)

# %% conv2d-forward
#| export
def conv2d_forward(x, weight, bias, window, groups=1):
    O, N = len(weight), x.shape[1]
    products = [
        kernels.reshape(len(kernels), -1) @ im2col(part, window)
        for kernels, part in zip(np.split(weight, groups), np.split(x, groups))
    ]
    y = np.concatenate(products).reshape(O, N, *window.output(*x.shape[2:])) + bias
    return y.astype(np.float32)

# %% conv2d-backward
#| export
def conv2d_backward(x, weight, g, window, groups=1, needs_x=True):
    dxs, dweights = [], []
    for part, kernels, piece in zip(np.split(x, groups), np.split(weight, groups), np.split(g, groups)):
        flat = piece.reshape(len(piece), -1)
        dweights.append((flat @ im2col(part, window).T).reshape(kernels.shape))
        dcols = kernels.reshape(len(kernels), -1).T @ flat
        (top, left), (C, N, H, W) = window.padding, part.shape
        dcols = dcols.reshape(C, *window.kernel, N, *g.shape[2:])
        whole = col2im(dcols, window, (C, N, H + 2 * top, W + 2 * left))
        dxs.append(whole[:, :, top : top + H, left : left + W])
    return np.concatenate(dxs) if needs_x else None, np.concatenate(dweights)

# %% product-gradients
#| export
def kernels_gradient(g, cols):
    return g @ cols.swapaxes(1, 2)


def columns_gradient(g, kernels, out=None):
    result = np.stack([k.T @ part for k, part in zip(kernels, g)])
    if out is not None:
        out[...] = result
        return out
    return result

# %% col2im
#| export
def col2im(dcols, window, shape):
    dx = np.zeros(shape, np.float32)
    (kh, kw), (Ho, Wo) = window.kernel, dcols.shape[-2:]
    starts = np.arange(dx.size).reshape(shape)
    for i in range(kh):
        for j in range(kw):
            np.add.at(dx.reshape(-1), windows(starts, window, (Ho, Wo))[:, i, j], dcols[:, i, j])
    return dx

# %% max-pool-forward
#| export
def max_pool_forward(view, find_winner=True):
    flat = np.moveaxis(view, (1, 2), (-2, -1)).reshape(view.shape[0], *view.shape[3:], -1)
    return flat.max(axis=-1).astype(np.float32), flat.argmax(axis=-1).astype(np.uint8) if find_winner else None

# %% max-pool-backward
#| export
def max_pool_backward(g, first, offsets, winner, size):
    positions = first + offsets[winner]
    return np.bincount(positions.ravel(), weights=g.ravel(), minlength=size).astype(np.float32)

# %% avg-pool
#| export
def avg_pool_forward(view):
    return view.mean(axis=(1, 2)).astype(np.float32)


def avg_pool_backward(g, kernel):
    kh, kw = kernel
    return np.repeat(np.repeat(g[:, None, None] / np.float32(kh * kw), kh, axis=1), kw, axis=2)

# %% batch-norm-forward
#| export
def batch_statistics(rows):
    return rows.mean(axis=1), rows.var(axis=1)


def normalise(rows, mean, var, weight, bias, eps):
    standard = (rows - mean[:, None]) / np.sqrt(var[:, None] + np.float32(eps))
    return (weight[:, None] * standard + bias[:, None]).astype(np.float32)

# %% running-statistics
#| export
def update_running(running_mean, running_var, mean, var, count, momentum):
    sample = var * count / (count - 1)
    return running_mean + momentum * (mean - running_mean), running_var + momentum * (sample - running_var)

# %% batch-norm-backward
#| export
def batch_norm_backward(g, normal, scale):
    centred = g - g.mean(axis=1, keepdims=True)
    stretch = (g * normal).mean(axis=1, keepdims=True)
    return (centred - normal * stretch) * scale[:, None], (g * normal).sum(axis=1), g.sum(axis=1)
