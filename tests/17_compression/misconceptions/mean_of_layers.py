"""The sparsity of a model is the mean of its layers' sparsities."""
# loses: test-measure-sparsity, test-module-compression

# %% measure-sparsity
#| export
def measure_sparsity(model: Module) -> float:
    shares = [float((array == 0).mean()) for array in weights_of(model)]
    return sum(shares) / len(shares) if shares else 0.0
