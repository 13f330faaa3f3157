"""Clean up right after backward(), then step."""
# loses: test-train-step, test-module-optimizers
# says: new ones are cleared too early

# %% train-step
def train_step(optimizer, function, *inputs):
    loss = function(*inputs)
    loss.backward()
    optimizer.zero_grad()
    optimizer.step()
    return loss.item()
