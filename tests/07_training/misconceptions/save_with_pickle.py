"""np.savez saves whatever it is given."""
# loses: test-save-checkpoint, test-module-training, test-checkpoint-state

# %% save-checkpoint
#| export
def save_checkpoint(path, arrays, metadata):
    temporary = f"{path}.tmp"
    try:
        with open(temporary, "wb") as file:
            np.savez(file, metadata=np.array(json.dumps(metadata)), **arrays)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        Path(temporary).unlink(missing_ok=True)
