"""So small a step need not be taken back."""
# loses: test-numerical-gradient

# %% numerical-gradient
#| export
def numerical_gradient(function, x, eps=1e-6):
    slope = np.zeros(x.shape)
    for i in np.ndindex(x.shape):
        old = x[i]
        x[i] = old + eps
        up = function(x)
        x[i] = old - eps
        down = function(x)
        slope[i] = (up - down) / (2 * eps)
    return slope
