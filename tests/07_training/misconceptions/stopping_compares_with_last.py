"""An epoch is better when its loss is below that of the epoch before."""
# loses: test-early-stopping

# %% early-stopping
#| export
class EarlyStopping:
    def __init__(self, patience):
        self.patience = whole_steps("patience", patience)
        self.best, self.waited = math.inf, 0

    @property
    def finished(self):
        return self.waited >= self.patience

    def update(self, loss):
        improved = loss < self.best
        self.best = loss
        self.waited = 0 if improved else self.waited + 1
        return improved
