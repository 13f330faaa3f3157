"""It is enough to write zeros once."""
# loses: test-set-mask, test-module-compression

# %% set-mask
#| export
def set_mask(owner: Module, name: str, mask: np.ndarray) -> None:
    parameter = dict(members(owner))[name]
    owner.register_buffer(f"{name}_mask", mask)
    parameter.data[...] = np.where(mask, parameter.data, 0)
