"""The line goes on: a warm-up that has been reached cannot be overshot."""
# loses: test-linear-lr

# %% linear-lr
#| export
class LinearLR(LRScheduler):
    def __init__(self, optimizer, start_factor=1 / 3, end_factor=1.0, total_iters=5):
        self.start_factor, self.end_factor = start_factor, end_factor
        self.total_iters = whole_steps("total_iters", total_iters)
        super().__init__(optimizer)

    def rate(self, base_lr, step):
        done = step / self.total_iters
        return base_lr * (self.start_factor + (self.end_factor - self.start_factor) * done)
