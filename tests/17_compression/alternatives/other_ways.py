"""Every exercise solved in another way."""

# %% magnitude-mask
#| export
def magnitude_mask(weight, sparsity):
    gone = int(round(sparsity * weight.size))
    places = sorted(range(weight.size), key=lambda i: (abs(weight.flat[i]), i))
    mask = np.array([True] * weight.size)
    for place in places[:gone]:
        mask[place] = False
    return mask.reshape(*weight.shape)

# %% measure-sparsity
#| export
def measure_sparsity(model):
    rows = [np.ravel(array) for array in weights_of(model)]
    if not rows:
        return 0.0
    return np.mean(np.concatenate(rows) == 0.0)

# %% set-mask
#| export
def set_mask(owner, name, mask):
    found = [part for key, part in members(owner) if key == name][0]
    buffer = name + "_mask"
    if found.mask is not None:
        np.logical_and(found.mask, mask, out=found.mask)
    else:
        owner.register_buffer(buffer, np.asarray(mask, dtype=bool))
        found.mask = vars(owner)[buffer]
    found.data *= found.mask

# %% global-masks
#| export
def global_masks(arrays, sparsity):
    joined = magnitude_mask(np.concatenate([np.ravel(a) for a in arrays]), sparsity)
    masks, start = [], 0
    for a in arrays:
        masks.append(joined[start : start + a.size].reshape(a.shape))
        start += a.size
    return masks

# %% strongest-rows
#| export
def strongest_rows(weight, prune_ratio):
    power = np.square(weight).sum(axis=tuple(range(1, weight.ndim)))
    gone = set(np.argsort(power, kind="stable")[: round(prune_ratio * weight.shape[0])].tolist())
    return np.array([row for row in range(weight.shape[0]) if row not in gone], dtype=int)

# %% inputs-that-stay
#| export
def inputs_that_stay(kept, written, read):
    run, rest = divmod(read, written)
    if rest:
        raise ShapeError(f"written {written}, read {read}: not a multiple")
    return np.arange(read).reshape(written, run)[kept].ravel()

# %% to-csr
#| export
def to_csr(weight):
    values, columns, starts = [], [], [0]
    for row in weight:
        for column, value in enumerate(row):
            if value != 0:
                values.append(value)
                columns.append(column)
        starts.append(len(values))
    return np.array(values, weight.dtype), np.array(columns, int), np.array(starts)

# %% csr-product
#| export
def csr_product(values, columns, starts, x):
    rows = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
    y = np.zeros((len(starts) - 1, len(x)), dtype=np.float32)
    np.add.at(y, rows, values[:, None] * x.T[columns])
    return y.T

# %% low-rank
#| export
def low_rank_approximate(weight, rank_ratio=0.5):
    check_matrix(weight, rank_ratio)
    kept = max(1, round(min(weight.shape) * rank_ratio))
    left, strengths, right = np.linalg.svd(weight, full_matrices=False)
    order = np.argsort(-strengths)[:kept]
    return left.take(order, axis=1), strengths.take(order), right.take(order, axis=0)

# %% distillation-loss
#| export
def distillation_loss(student_logits, teacher_logits, labels, temperature, alpha):
    scaled = teacher_logits.data / np.float32(temperature)
    scaled = scaled - scaled.max(axis=-1, keepdims=True)
    p = np.exp(scaled)
    p /= p.sum(axis=-1, keepdims=True)
    own_surprise = np.where(p > 0, p * np.log(np.maximum(p, 1e-30)), 0).sum()
    cross = -(Tensor(p) * log_softmax(student_logits / temperature, axis=-1)).sum()
    kl = (cross + float(own_surprise)) / len(p)
    hard = cross_entropy(student_logits, labels)
    return hard * (1 - alpha) + kl * (alpha * temperature * temperature)
