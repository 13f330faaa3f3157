"""It is no improvement if the loss is at or above the best; everything else is one."""
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
        if loss >= self.best:
            self.waited += 1
            return False
        self.best, self.waited = loss, 0
        return True
