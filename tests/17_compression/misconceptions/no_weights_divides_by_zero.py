"""Every model has weights."""
# loses: test-measure-sparsity

# %% measure-sparsity
#| export
def measure_sparsity(model: Module) -> float:
    count = nonzero = 0
    for array in weights_of(model):
        count += array.size
        nonzero += int(np.count_nonzero(array))
    return 1 - nonzero / count
