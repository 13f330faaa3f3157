"""+= is the short way to write a = a + b."""
# loses: test-accumulate, test-backward
# says: wrote into an array that v holds too

# %% accumulate
#| export
def accumulate(target, grad):
    if target.grad is None:
        target.grad = grad
    else:
        target.grad += grad
