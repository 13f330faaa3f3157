"""The line goes on: a warm-up that has been reached cannot be overshot."""
# loses: test-warm-up-rate

# %% warm-up-rate
#| export
def warm_up_rate(base_lr, step, start_factor, end_factor, total_iters):
    done = step / total_iters
    return base_lr * (start_factor + (end_factor - start_factor) * done)
