"""Clean up right after backward(), then step."""
# loses: test-train-step, test-module-optimizers

# %% train-step
def train_step(optimizer, function, *inputs):
    loss = function(*inputs)
    loss.backward()
    optimizer.zero_grad()
    optimizer.step()
    return loss.item()
