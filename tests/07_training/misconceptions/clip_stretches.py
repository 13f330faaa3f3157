"""The gradient gets the length max_norm."""
# loses: test-clip-grad-norm

# %% clip-grad-norm
#| export
def clip_grad_norm_(parameters, max_norm):
    gradients = [p.grad for p in parameters if p.grad is not None]
    length = math.sqrt(sum(float((g * g).sum()) for g in gradients))
    if not math.isfinite(length):
        raise FloatingPointError(f"the length of the gradients is {length}.")
    for g in gradients:
        g *= max_norm / (length + 1e-6)
    return length
