"""The rename moves the temporary file away, so there is nothing to clean up."""
# loses: test-save-checkpoint

# %% save-checkpoint
#| export
def save_checkpoint(path, arrays, metadata):
    text = json.dumps(metadata)
    temporary = f"{path}.tmp"
    with open(temporary, "wb") as file:
        write_arrays(file, {"metadata": np.array(text), **arrays})
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)
