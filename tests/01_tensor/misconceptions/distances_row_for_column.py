"""Both squared norms are vectors, so broadcasting will sort them out."""
# loses: test-squared-distances, test-module-tensor

# %% squared-distances
#| export
def squared_distances(a, b):
    return (a * a).sum(axis=1) - 2 * (a @ b.T) + (b * b).sum(axis=1)
