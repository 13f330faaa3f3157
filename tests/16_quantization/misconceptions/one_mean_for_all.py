"""One mean serves all rows."""
# loses: test-centred, test-module-quantization

# %% centred
#| export
def centred(x):
    return x - x.mean()
