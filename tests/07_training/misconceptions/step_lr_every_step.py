"""gamma says by how much the rate falls in a step."""
# loses: test-step-lr

# %% step-lr
#| export
class StepLR(LRScheduler):
    def __init__(self, optimizer, step_size, gamma=0.1):
        self.step_size, self.gamma = whole_steps("step_size", step_size), gamma
        super().__init__(optimizer)

    def rate(self, base_lr, step):
        return base_lr * self.gamma**step
