"""Every gradient that is too long is clipped by its own length."""
# loses: test-clip-grad-norm

# %% clip-grad-norm
#| export
def clip_grad_norm_(parameters, max_norm):
    lengths = []
    for parameter in parameters:
        if parameter.grad is not None:
            length = float(np.linalg.norm(parameter.grad))
            if not math.isfinite(length):
                raise FloatingPointError(f"the length of the gradients is {length}.")
            parameter.grad *= min(1.0, max_norm / (length + 1e-6))
            lengths.append(length)
    return math.hypot(*lengths)
