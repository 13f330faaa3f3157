"""Every exercise solved in another way."""

# %% merge-layers
def merge_layers(w1, b1, w2, b2):
    bias = b2 + (w2 * b1).sum(axis=1)
    return (w1.T @ w2.T).T, bias

# %% relu
#| export
@op
def relu(x):
    return np.where(x > 0, x, np.float32(0))

# %% sigmoid
#| export
@op
def sigmoid(x):
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, np.float32(1), e) / (1 + e)

# %% tanh
#| export
@op
def tanh(x):
    e = np.expm1(-2 * np.abs(x))
    return np.copysign(e / (e + 2), x)

# %% gelu
#| export
@op
def gelu(x):
    t = np.tanh(0.7978845608 * x * (1 + 0.044715 * np.square(x)))
    half = x / 2
    return half + half * t, t

# %% softmax
#| export
@op
def softmax(x, axis=-1):
    centred = x - np.max(x, axis=axis, keepdims=True)
    return np.exp(centred - np.log(np.sum(np.exp(centred), axis=axis, keepdims=True)))
