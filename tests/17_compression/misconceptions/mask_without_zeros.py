"""The optimizer writes the zeros at its next step."""
# loses: test-set-mask

# %% set-mask
#| export
def set_mask(owner: Module, name: str, mask: np.ndarray) -> None:
    parameter = dict(members(owner))[name]
    if parameter.mask is None:
        owner.register_buffer(f"{name}_mask", mask)
        parameter.mask = getattr(owner, f"{name}_mask")
    else:
        parameter.mask &= mask
