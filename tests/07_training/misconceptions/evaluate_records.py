"""Without backward() a graph costs nothing."""
# loses: test-evaluate

# %% evaluate
#| export
def evaluate(model, loss_function, batches, metrics=None):
    functions, count = metrics or {}, 0
    mode = model.training
    model.eval()
    sums = dict.fromkeys(["loss", *functions], 0.0)
    for x, y in batches:
        output = model(as_input(x))
        sums["loss"] += loss_function(output, y).item() * len(x)
        for name, function in functions.items():
            sums[name] += function(output.data, raw(y)) * len(x)
        count += len(x)
    model.train(mode)
    if not count:
        raise ValueError("there are no batches to evaluate")
    return {name: value / count for name, value in sums.items()}
