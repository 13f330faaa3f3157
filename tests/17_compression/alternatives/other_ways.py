"""The mean is the sum divided by the number of columns."""

# %% centred
#| export
def centred(x):
    return x - x.sum(axis=1).reshape(-1, 1) / x.shape[1]
