"""Only where it differs in kind: sets for the names, plain addition for the bias, a mask chosen with np.where."""

# %% linear
#| export
@op
def linear(x, weight, bias=None):
    if x.shape[-1:] != weight.shape[1:]:
        raise ShapeError(f"linear: x is {x.shape}, the weight {weight.shape}")
    y = np.einsum("...i,oi->...o", x, weight, optimize=True)
    return y + (0 if bias is None else bias)

# %% state-differences
#| export
def state_differences(own, given):
    changed = {path for path, _ in own.items() ^ given.items()}
    return sorted(own.keys() - given.keys()), sorted(given.keys() - own.keys()), sorted(changed & own.keys() & given.keys())

# %% dropout
#| export
def dropout(x, p=0.5, training=True):
    check_probability(p)
    if not training:
        return x
    dropped = generator().uniform(size=x.shape) < p
    return x * np.where(dropped, 0, 1 / (1 - p) if p < 1 else 0).astype(np.float32)
