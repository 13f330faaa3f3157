"""A derivative is (f(x + h) - f(x)) / h."""
# loses: test-numerical-gradient, test-module-autograd

# %% numerical-gradient
#| export
def numerical_gradient(function, x, eps=1e-6):
    slope = np.zeros(x.shape)
    here = function(x)
    for i in np.ndindex(x.shape):
        old = x[i]
        x[i] = old + eps
        slope[i] = (function(x) - here) / eps
        x[i] = old
    return slope
