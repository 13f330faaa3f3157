"""+= is the short way to write a = a + b."""
# loses: test-accumulate, test-backward

# %% accumulate
#| export
def accumulate(target, grad):
    if target.grad is None:
        target.grad = grad
    else:
        target.grad += grad
