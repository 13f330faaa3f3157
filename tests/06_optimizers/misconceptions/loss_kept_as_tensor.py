"""A step returns its loss; the loss is a Tensor."""
# loses: test-train-step, test-module-optimizers

# %% train-step
def train_step(optimizer, function, *inputs):
    optimizer.zero_grad()
    loss = function(*inputs)
    loss.backward()
    optimizer.step()
    return loss
