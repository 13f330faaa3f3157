"""What is measured is the share of weights that are there."""
# loses: test-measure-sparsity, test-module-compression

# %% measure-sparsity
#| export
def measure_sparsity(model: Module) -> float:
    count = nonzero = 0
    for array in weights_of(model):
        count += array.size
        nonzero += int(np.count_nonzero(array))
    return nonzero / count if count else 0.0
