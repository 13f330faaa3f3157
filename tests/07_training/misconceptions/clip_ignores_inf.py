"""An infinite gradient is the very case for clipping: it becomes 0."""
# loses: test-clip-grad-norm

# %% clip-grad-norm
#| export
def clip_grad_norm_(parameters, max_norm):
    gradients = [p.grad for p in parameters if p.grad is not None]
    length = math.sqrt(sum(float(np.linalg.norm(g)) ** 2 for g in gradients))
    for g in gradients:
        g *= min(1.0, max_norm / (length + 1e-6)) if math.isfinite(length) else 0
    return length
