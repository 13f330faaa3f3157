"""Replacing a file means to remove the old one and to rename the new one."""
# loses: test-save-checkpoint

# %% save-checkpoint
#| export
def save_checkpoint(path, arrays, metadata):
    text = json.dumps(metadata)
    Path(path).unlink(missing_ok=True)
    temporary = f"{path}.tmp"
    try:
        with open(temporary, "wb") as file:
            write_arrays(file, {"metadata": np.array(text), **arrays})
        os.rename(temporary, path)
    finally:
        Path(temporary).unlink(missing_ok=True)
