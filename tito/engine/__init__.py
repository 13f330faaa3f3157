"""Read a notebook in any state, lay its answers onto the pristine one, run it: shared by `check` and `grade`."""
