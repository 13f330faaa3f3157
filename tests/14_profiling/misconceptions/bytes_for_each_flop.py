"""Intensity is how many bytes each FLOP needs."""
# loses: test-roofline

# %% roofline
#| export
def intensity(flops: int, moved: int) -> float:
    return moved / flops if flops else 0.0


def attainable(flops_per_byte: float, peak: float, bandwidth: float) -> float:
    return flops_per_byte * bandwidth if flops_per_byte * bandwidth < peak else peak


def least_ms(flops: int, moved: int, peak: float, bandwidth: float) -> float:
    return max(flops / peak, moved / bandwidth) / 1e6
