"""The formulas as the book has them, where they are safe."""

# %% relu
#| export
@op
def relu(x):
    return x.clip(min=0)

# %% sigmoid
#| export
@op
def sigmoid(x):
    return 0.5 + 0.5 * np.tanh(0.5 * x)

# %% gelu
#| export
@op
def gelu(x):
    tanh_part = np.tanh(sqrt(2 / pi) * (x + 0.044715 * x**3))
    return x * (1 + tanh_part) / 2, tanh_part

# %% softmax
#| export
@op
def softmax(x, axis=-1):
    largest = np.amax(x, axis, keepdims=True)
    exponentials = np.exp(x - largest)
    return np.divide(exponentials, exponentials.sum(axis, keepdims=True))
