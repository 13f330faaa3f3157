"""max_norm is for whoever calls clip_grad_norm_; a step only passes it on."""
# loses: test-train-step

# %% train-step
#| export
def train_step(model, optimizer, loss_function, x, y, max_norm=None):
    optimizer.zero_grad()
    loss = loss_function(model(as_input(x)), y)
    if not math.isfinite(loss.item()):
        raise FloatingPointError(f"the loss is {loss.item()}.")
    loss.backward()
    optimizer.step()
    return loss.item()
