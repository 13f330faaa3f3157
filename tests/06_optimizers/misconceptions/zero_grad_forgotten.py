"""backward() computes new gradients, so the old ones need no cleaning."""
# loses: test-train-step, test-module-optimizers

# %% train-step
def train_step(optimizer, function, *inputs):
    loss = function(*inputs)
    loss.backward()
    optimizer.step()
    return loss.item()
