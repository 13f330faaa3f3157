"""The parameter and the buffer may each have a mask of their own."""
# loses: test-set-mask

# %% set-mask
#| export
def set_mask(owner: Module, name: str, mask: np.ndarray) -> None:
    parameter = dict(members(owner))[name]
    if parameter.mask is None:
        owner.register_buffer(f"{name}_mask", mask)
        parameter.mask = mask.copy()
    else:
        parameter.mask &= mask
    parameter.data[...] = np.where(parameter.mask, parameter.data, 0)
