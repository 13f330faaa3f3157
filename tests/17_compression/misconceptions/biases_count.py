"""Biases count as weights."""
# loses: test-measure-sparsity, test-module-compression

# %% measure-sparsity
#| export
def measure_sparsity(model: Module) -> float:
    count = nonzero = 0
    for array in (parameter.data for parameter in model.parameters()):
        count += array.size
        nonzero += int(np.count_nonzero(array))
    return 1 - nonzero / count if count else 0.0
