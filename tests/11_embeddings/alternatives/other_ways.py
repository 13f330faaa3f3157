"""NumPy's index instead of take, np.unique instead of differences, one place at a time instead of all, and so on."""

# %% one-hot-product
def one_hot_product(weight, ids):
    return np.eye(len(weight), dtype=np.float32)[ids] @ weight

# %% embedding
#| export
@op
def embedding(ids, weight, padding_idx=None):
    if weight.ndim != 2:
        raise ShapeError(f"embedding: weight of shape {weight.shape} is not (V, C).")
    check_table("embedding", weight.shape, padding_idx)
    places = check_ids(ids, weight.shape[0])
    return weight[places], places

# %% add-rows-loop
def add_rows_loop(g, ids, count):
    result = np.zeros((count, g.shape[1]), np.float32)
    for n in range(len(ids)):
        result[ids[n]] = result[ids[n]] + g[n]
    return result

# %% segments
#| export
def segments(ids):
    order = np.argsort(ids, kind="stable")
    _, starts, lengths = np.unique(np.asarray(ids)[order], return_index=True, return_counts=True)
    by_length = np.argsort(lengths, kind="stable")[::-1]
    return order, starts[by_length], lengths[by_length]

# %% sum-rounds
#| export
def sum_rounds(g, order, starts, lengths, limit):
    total = g[order[starts]]
    k = 1
    while k < limit and (lengths > k).any():
        has_more = lengths > k
        total[has_more] += g[order[starts[has_more] + k]]
        k += 1
    return total

# %% add-rows
#| export
LONG = 16

def add_rows(g, ids, count, limit=LONG):
    order, starts, lengths = segments(ids)
    total = sum_rounds(g, order, starts, lengths, limit)
    for s, (start, length) in enumerate(zip(starts, lengths)):
        if length <= limit:
            break
        total[s] += np.add.reduce(g[order[start + limit : start + length]])
    grad = np.zeros((count, g.shape[-1]), "float32")
    grad[[ids[order[start]] for start in starts] or slice(0)] = total
    return grad

# %% embedding-rule
#| export
@derivative(embedding, "weight")
def embedding_weight(g, input_shape, saved, padding_idx):
    flat = np.ravel(saved)
    rows = np.array(g, dtype=np.float32).reshape(len(flat), input_shape[1])
    if padding_idx is not None:
        rows[flat == padding_idx % input_shape[0]] = 0
    return add_rows(rows, flat, input_shape[0])

# %% embedding-layer
#| export
class Embedding(Module):
    def __init__(self, num_embeddings, embedding_dim, padding_idx=None):
        check_table("Embedding", (num_embeddings, embedding_dim), padding_idx)
        self.num_embeddings, self.embedding_dim = num_embeddings, embedding_dim
        self.padding_idx = padding_idx
        numbers = generator().standard_normal((num_embeddings, embedding_dim))
        self.weight = Parameter(numbers.astype(np.float32))
        if padding_idx is not None:
            self.weight.data[padding_idx] = 0

    def forward(self, ids):
        return embedding(ids, self.weight, padding_idx=self.padding_idx)

# %% sine-table
#| export
def sinusoidal_table(context, d_model):
    column = np.arange(d_model)
    angle = np.arange(context).reshape(-1, 1) / np.power(10000, (column - column % 2) / d_model)
    return np.where(column % 2 == 0, np.sin(angle), np.cos(angle)).astype(np.float32)

# %% positional-encoding
#| export
class PositionalEncoding(Module):
    def __init__(self, context, d_model, learned=False):
        check_table("PositionalEncoding", (context, d_model))
        self.context, self.d_model, self.learned = context, d_model, learned
        if learned:
            self.table = Parameter(generator().normal(scale=0.02, size=(context, d_model)))
        else:
            self.table = sinusoidal_table(context, d_model)

    def forward(self, x):
        if x.ndim < 2 or x.shape[-1] != self.d_model:
            raise ShapeError(f"PositionalEncoding: shape {x.shape}, expected (..., T, {self.d_model}).")
        *_, T, C = x.shape
        if not T <= self.context:
            raise ShapeError(f"{T} places, but the context has {self.context}")
        return embedding(np.arange(T), Tensor(self.table) if not self.learned else self.table) + x

# %% tied-model
class MissingWord(Module):
    def __init__(self, vocab_size, context, d_model, hidden):
        self.embedding = Embedding(vocab_size, d_model)
        normal_(self.embedding.weight, std=1 / sqrt(d_model))
        self.positions = PositionalEncoding(context, d_model)
        self.hidden, self.output = Linear(d_model, hidden), Linear(hidden, d_model)

    def forward(self, ids):
        rows = self.embedding(ids)
        rows = self.positions(rows * rows.shape[-1] ** 0.5)
        bent = relu(self.hidden(rows))
        summary = self.output(bent.sum(axis=1) / bent.shape[1])
        return summary @ self.embedding.weight.T
