"""One mean serves all rows."""
# loses: test-centred, test-module-compression

# %% centred
#| export
def centred(x):
    return x - x.mean()
