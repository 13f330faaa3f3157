"""patience is the number of bad epochs that a run may have."""
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
        if loss < self.best:
            self.best = loss
            return True
        self.waited += 1
        return False
