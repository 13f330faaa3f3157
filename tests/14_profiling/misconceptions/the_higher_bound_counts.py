"""The better of the two bounds is what can be reached."""
# loses: test-roofline

# %% roofline
#| export
def intensity(flops: int, moved: int) -> float:
    return 0.0 if moved == 0 else flops / moved


def attainable(flops_per_byte: float, peak: float, bandwidth: float) -> float:
    return max(flops_per_byte * bandwidth, peak)


def least_ms(flops: int, moved: int, peak: float, bandwidth: float) -> float:
    return max(flops / peak, moved / bandwidth) / 1e6
