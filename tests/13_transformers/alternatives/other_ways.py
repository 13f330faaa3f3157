"""Every exercise solved in another way."""

# %% tempered
#| export
def tempered(logits, temperature):
    rows = []
    for row in np.asarray(logits, dtype=np.float64):
        if temperature == 0:
            one = np.zeros(len(row))
            one[int(np.argmax(row))] = 1
        else:
            scaled = row / temperature
            one = np.exp(scaled - np.logaddexp.reduce(scaled))
        rows.append(one)
    return np.array(rows)

# %% cut-tails
#| export
def keep_top_k(probabilities, k):
    V = probabilities.shape[1]
    rank = np.argsort(np.argsort(-probabilities, axis=1, kind="stable"), axis=1)
    cut = np.where(rank < min(k, V), probabilities, 0.0)
    return cut / cut.sum(axis=1)[:, None]


def keep_top_p(probabilities, p):
    result = np.zeros(probabilities.shape)
    for b, row in enumerate(probabilities):
        total = 0.0
        for place in sorted(range(len(row)), key=lambda i: (-row[i], i)):
            result[b, place] = row[place]
            total += row[place]
            if total >= p:
                break
        result[b] /= result[b].sum()
    return result

# %% extend
#| export
def extend(model, ids, steps, rng, options):
    B, T = ids.shape
    text = np.zeros((B, T + steps), dtype=ids.dtype)
    text[:, :T] = ids
    for t in range(T, T + steps):
        logits = model(text[:, max(0, t - model.context) : t]).data
        text[:, t] = sample(logits[:, -1, :], rng, **options)
    return text

# %% layer-norm-composed
def layer_norm_composed(x, weight, bias, eps=1e-5):
    centred = x - x.mean(axis=-1, keepdims=True)
    spread = ((centred * centred).mean(axis=-1, keepdims=True) + eps) ** 0.5
    return weight * centred / spread + bias

# %% layer-norm-forward
#| export
def layer_norm_forward(rows, weight, bias, eps):
    mean, var = rows.mean(axis=-1, keepdims=True), rows.var(axis=-1, keepdims=True)
    deviation = np.sqrt(var + eps, dtype=np.float32)
    hat = (rows - mean) / deviation
    return hat * weight + bias, hat, deviation[:, 0]

# %% layer-norm-backward
#| export
def layer_norm_backward(g, normal, root, weight):
    h = g * weight
    left = h - h.mean(axis=1, keepdims=True) - normal * (h * normal).mean(axis=1, keepdims=True)
    return left / root[:, None], (g * normal).sum(axis=0), g.sum(axis=0)

# %% gelu-pieces
#| export
PIECE = 1 << 15  # elements: 128 KiB, and a few such arrays are in use at a time
gelu_arrays = gelu.__wrapped__  # module 02's function itself: array -> (result, tanh)


def gelu_in_pieces(x, piece=PIECE, with_slope=True):
    parts = [x[i : i + piece] for i in range(0, len(x), piece)]
    pairs = [gelu_arrays(part) for part in parts]
    y = np.concatenate([pair[0] for pair in pairs])
    if not with_slope:
        return y, None
    slopes = [gelu_x(np.ones_like(part), part, pair[1]) for part, pair in zip(parts, pairs)]
    return y, np.concatenate(slopes)

# %% block
#| export
class FeedForward(Module):
    def __init__(self, d_model, hidden=None, dropout=0.0):
        self.up = Linear(d_model, hidden or 4 * d_model)
        self.down = Linear(hidden or 4 * d_model, d_model)
        self.dropout = Dropout(dropout)

    def forward(self, x):
        return self.dropout(self.down(gelu(self.up(x))))


class TransformerBlock(Module):
    def __init__(self, d_model, num_heads, dropout=0.0):
        self.norm1 = LayerNorm(d_model)
        self.attention = MultiHeadAttention(d_model, num_heads, dropout)
        self.dropout = Dropout(dropout)
        self.norm2 = LayerNorm(d_model)
        self.feed_forward = FeedForward(d_model, dropout=dropout)

    def forward(self, x, is_causal=True):
        h = self.norm1(x)
        x = self.dropout(self.attention(h, h, h, is_causal=is_causal)) + x
        return self.feed_forward(self.norm2(x)) + x

# %% initial-std
#| export
WRITES_ON_STREAM = ("out_proj.weight", "down.weight")


def initial_std(path, num_layers):
    *_, owner, name = ("", *path.split("."))
    if name in ("bias", "in_proj_bias"):
        return 0
    return 0.02 * ((2 * num_layers) ** -0.5 if owner in ("out_proj", "down") else 1)

# %% gpt
#| export
class GPT(LanguageModel):
    def __init__(self, vocab_size, context, d_model, num_layers, num_heads, dropout=0.0, seed=None):
        check_gpt(vocab_size=vocab_size, context=context, d_model=d_model, num_layers=num_layers,
                  num_heads=num_heads)
        self.vocab_size, self.context = vocab_size, context
        self.embedding = Embedding(vocab_size, d_model)
        self.positions = PositionalEncoding(context, d_model, learned=True)
        self.dropout = Dropout(dropout)
        self.blocks = [TransformerBlock(d_model, num_heads, dropout) for _ in range(num_layers)]
        self.norm = LayerNorm(d_model)
        initialise(self, num_layers, random_source(seed))

    def forward(self, ids):
        stream = self.dropout(self.positions(self.embedding(check_text(ids, self.context))))
        for number in range(len(self.blocks)):
            stream = self.blocks[number](stream)
        return self.norm(stream) @ self.embedding.weight.T
