"""A warm-up ends at the full rate, so end_factor is 1."""
# loses: test-warm-up-rate

# %% warm-up-rate
#| export
def warm_up_rate(base_lr, step, start_factor, end_factor, total_iters):
    done = min(step, total_iters) / total_iters
    return base_lr * (start_factor + (1 - start_factor) * done)
