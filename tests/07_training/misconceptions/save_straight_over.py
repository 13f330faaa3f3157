"""A file is written with open and write; Python closes it properly."""
# loses: test-save-checkpoint

# %% save-checkpoint
#| export
def save_checkpoint(path, arrays, metadata):
    text = json.dumps(metadata)
    with open(path, "wb") as file:
        write_arrays(file, {"metadata": np.array(text), **arrays})
