"""Every exercise solved in another way."""

# %% sgd
#| export
def sgd_update(p, g, lr):
    np.subtract(p, lr * g, out=p)

# %% momentum
#| export
def momentum_update(p, g, v, lr, momentum, nesterov=False):
    v[...] = momentum * v + g
    p[...] = p - lr * (momentum * v + g if nesterov else v)

# %% move
#| export
def move(optimizer, parameter, options):
    if parameter not in optimizer.state:
        optimizer.state[parameter] = {"step": 0}
    kept = optimizer.state[parameter]
    kept["step"] = kept["step"] + 1
    kept |= {name: np.zeros_like(parameter.data) for name in optimizer.buffers(options) if name not in kept}
    for numbers, gradient, piece in pieces(parameter.data, parameter.grad, kept):
        pulled = optimizer.decay(numbers, gradient, options) if options["weight_decay"] > 0 else gradient
        optimizer.update(numbers, pulled, piece, options)

# %% train-step
def train_step(optimizer, function, *inputs):
    value = function(*inputs)
    optimizer.zero_grad()
    value.backward()
    optimizer.step()
    return float(value)

# %% rmsprop
#| export
def rmsprop_update(p, g, s, lr, alpha, eps):
    s[...] = alpha * s + (1 - alpha) * g**2
    p[...] = p - lr * g / (s**0.5 + eps)

# %% adam
#| export
def adam_update(p, g, m, v, t, lr, betas, eps):
    m[...] = betas[0] * m + (1 - betas[0]) * g
    v[...] = betas[1] * v + (1 - betas[1]) * g**2
    root = np.sqrt(v) / (1 - betas[1] ** t) ** 0.5
    p -= lr / (1 - betas[0] ** t) * m / (root + eps)

# %% adamw
#| export
class AdamW(Adam):
    def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=1e-2):
        super().__init__(params, lr, betas, eps, weight_decay)

    def decay(self, p, g, options):
        p -= options["lr"] * options["weight_decay"] * p
        return g

# %% optimizer-state
#| export
def optimizer_state(optimizer):
    parameters, state = optimizer.parameters(), {}
    for i, parameter in enumerate(parameters):
        if parameter in optimizer.state:
            state[i] = {name: np.copy(a, order="K") if np.ndim(a) or name != "step" else a for name, a in optimizer.state[parameter].items()}
    places, groups = iter(range(len(parameters))), []
    for group in optimizer.param_groups:
        groups.append(dict(group, params=[next(places) for _ in group["params"]]))
    return {"state": state, "param_groups": groups}
