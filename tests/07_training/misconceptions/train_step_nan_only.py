"""A bad loss is nan, which is the only number that differs from itself."""
# loses: test-train-step

# %% train-step
#| export
def train_step(model, optimizer, loss_function, x, y, max_norm=None):
    optimizer.zero_grad()
    loss = loss_function(model(as_input(x)), y)
    if loss.item() != loss.item():
        raise FloatingPointError("the loss is nan.")
    loss.backward()
    if max_norm is not None:
        clip_grad_norm_(model.parameters(), max_norm)
    optimizer.step()
    return loss.item()
