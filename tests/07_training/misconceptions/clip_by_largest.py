"""The norm of a gradient is its largest element."""
# loses: test-clip-grad-norm

# %% clip-grad-norm
#| export
def clip_grad_norm_(parameters, max_norm):
    gradients = [p.grad for p in parameters if p.grad is not None]
    length = max(float(np.abs(g).max()) for g in gradients)
    if not math.isfinite(length):
        raise FloatingPointError(f"the length of the gradients is {length}.")
    for g in gradients:
        g *= min(1.0, max_norm / (length + 1e-6))
    return length
