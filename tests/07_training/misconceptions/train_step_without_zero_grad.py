"""backward() makes new gradients; the optimizer has used the old ones up."""
# loses: test-train-step, test-module-training, test-train-epoch, test-checkpoint-state

# %% train-step
#| export
def train_step(model, optimizer, loss_function, x, y, max_norm=None):
    loss = loss_function(model(as_input(x)), y)
    if not math.isfinite(loss.item()):
        raise FloatingPointError(f"the loss is {loss.item()}.")
    loss.backward()
    if max_norm is not None:
        clip_grad_norm_(model.parameters(), max_norm)
    optimizer.step()
    return loss.item()
