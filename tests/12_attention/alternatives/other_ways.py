"""Every exercise solved in another way."""

# %% attention-loops
def attention_loops(q, k, v):
    weights = np.zeros((len(q), len(k)), dtype=np.float32)
    out = np.zeros((len(q), v.shape[1]), dtype=np.float32)
    for t, asked in enumerate(q):
        row = []
        for offered in k:
            score = 0.0
            for i in range(len(asked)):
                score += float(asked[i]) * float(offered[i])
            row.append(score / len(asked) ** 0.5)
        shift = max(row)
        whole = sum(np.exp(score - shift) for score in row)
        for s, score in enumerate(row):
            weights[t, s] = np.exp(score - shift) / whole
            for j in range(v.shape[1]):
                out[t, j] += weights[t, s] * v[s, j]
    return out, weights

# %% attention-scores
#| export
def attention_scores(query, key):
    swapped = key.permute(*range(key.ndim - 2), key.ndim - 1, key.ndim - 2)
    return query @ swapped / np.float32(query.shape[-1]) ** 0.5

# %% masks
#| export
def causal_mask(T, S):
    return np.tril(np.ones((T, S), dtype=bool))


def as_numbers(allowed):
    numbers = np.zeros(np.shape(allowed), dtype=np.float32)
    numbers[~allowed] = -inf
    return numbers

# %% row-softmax
#| export
@op
def row_softmax(scores, bias=None):
    shifted = np.array(scores if bias is None else scores + bias)
    blind = np.isneginf(shifted).all(axis=-1, keepdims=True)
    top = np.where(blind, np.float32(0), shifted.max(axis=-1, keepdims=True, initial=-inf))
    shifted -= np.where(np.isneginf(top), np.float32(0), top)
    e = np.exp(shifted)
    return e / np.where(blind, np.float32(1), e.sum(axis=-1, keepdims=True))

# %% composed
#| export
def composed_attention(query, key, value, bias=None, dropout_p=0.0):
    scores = attention_scores(query, key)
    seen = row_softmax(scores) if bias is None else row_softmax(scores, bias)
    used = dropout(seen, dropout_p, training=True)
    return used.matmul(value), seen

# %% heads
#| export
def split_heads(x, num_heads):
    width = x.shape[-1] // num_heads
    return stack([x[..., i * width : (i + 1) * width] for i in range(num_heads)], axis=-3)


def merge_heads(x):
    return cat([x[..., i, :, :] for i in range(x.shape[-3])], axis=-1)


from tinytorch.core.tensor import cat, stack

# %% largest-score
#| export
def largest_score(q, k):
    if not q.size or not k.size:
        return 0.0
    lengths = (np.linalg.norm(x, axis=-1).max() for x in (q, k))
    return float(next(lengths)) * float(next(lengths))

# %% weigh
#| export
def weigh(scores, value, shift=True):
    top = np.zeros(scores.shape[:-1] + (1,), dtype=np.float32)
    if shift:
        top = np.maximum(scores.max(axis=-1, keepdims=True, initial=-inf), LOWEST)
    scores[...] = np.exp(scores - top)
    return np.matmul(scores, value), scores.sum(axis=-1, keepdims=True), top

# %% attention-gradients
#| export
def attention_gradients(g, q, k, v, e, total, out):
    weights = e / total
    dw = np.matmul(g, v.swapaxes(-1, -2))
    dz = weights * (dw - (weights * dw).sum(axis=-1, keepdims=True))
    return np.matmul(dz, k), np.matmul(dz.swapaxes(-1, -2), q), np.matmul(weights.swapaxes(-1, -2), g)

# %% multi-head
#| export
class MultiHeadAttention(AttentionBase):
    def forward(self, query, key=None, value=None, attn_mask=None, is_causal=False, need_weights=False):
        if key is None:
            key = query
        if value is None:
            value = key
        bias = self.check(query, key, value, attn_mask)
        q, k, v = (split_heads(part, self.num_heads) for part in self.project(query, key, value))
        p = self.dropout if self.training else 0
        answer = scaled_dot_product_attention(q, k, v, bias, p, is_causal, need_weights)
        if need_weights:
            return self.out_proj(merge_heads(answer[0])), answer[1]
        return self.out_proj(merge_heads(answer))

# %% online
#| export
def merge_sums(one, other):
    (a, n, m), (b, l, p) = one, other
    top = np.where(m > p, m, p)
    left, right = np.exp(m - top), np.exp(p - top)
    return a * left + b * right, n * left + l * right, top


def weigh_in_chunks(q, k, v, causal=False, chunk=256):
    S = k.shape[-2]
    answers = np.zeros(q.shape[:-1] + v.shape[-1:], np.float32)
    total = np.zeros(q.shape[:-1] + (1,), np.float32)
    sums = answers, total, np.full_like(total, LOWEST)
    start = 0
    while start < S:
        stop = min(S, start + chunk)
        scores = chunk_scores(q, k, slice(start, stop), causal)
        sums = merge_sums(sums, weigh(scores, v[..., start:stop, :]))
        start = stop
    return sums
