"""Look at the loss when the step is done, then stop."""
# loses: test-train-step

# %% train-step
#| export
def train_step(model, optimizer, loss_function, x, y, max_norm=None):
    optimizer.zero_grad()
    loss = loss_function(model(as_input(x)), y)
    loss.backward()
    if max_norm is not None:
        clip_grad_norm_(model.parameters(), max_norm)
    optimizer.step()
    if not math.isfinite(loss.item()):
        raise FloatingPointError(f"the loss is {loss.item()}.")
    return loss.item()
