"""After an evaluation, training goes on."""
# loses: test-evaluate

# %% evaluate
#| export
def evaluate(model, loss_function, batches, metrics=None):
    functions, count = metrics or {}, 0
    model.eval()
    sums = dict.fromkeys(["loss", *functions], 0.0)
    with no_grad():
        for x, y in batches:
            output = model(as_input(x))
            sums["loss"] += loss_function(output, y).item() * len(x)
            for name, function in functions.items():
                sums[name] += function(output.data, raw(y)) * len(x)
            count += len(x)
    model.train()
    if not count:
        raise ValueError("there are no batches to evaluate")
    return {name: value / count for name, value in sums.items()}
