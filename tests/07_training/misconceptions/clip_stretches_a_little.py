"""max_norm is the length that a gradient should have; only a far shorter one is left alone."""
# loses: test-clip-grad-norm

# %% clip-grad-norm
#| export
def clip_grad_norm_(parameters, max_norm):
    gradients = [p.grad for p in parameters if p.grad is not None]
    length = math.sqrt(sum(float((g * g).sum()) for g in gradients))
    if not math.isfinite(length):
        raise FloatingPointError(f"the length of the gradients is {length}.")
    factor = max_norm / (length + 1e-6)
    if factor < 2:
        for g in gradients:
            g *= factor
    return length
