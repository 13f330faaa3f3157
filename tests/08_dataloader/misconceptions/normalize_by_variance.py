"""Dividing by the spread means dividing by the variance."""
# loses: test-normalize

# %% normalize
#| export
class Normalize:

    def __init__(self, mean: Sequence[float], std: Sequence[float]) -> None:
        self.mean, self.std = np.float32(mean), np.float32(std)
        if self.mean.ndim != 1 or self.mean.shape != self.std.shape or not np.all(self.std > 0):
            raise ValueError(
                f"Normalize needs a mean and a std above 0 for each channel, not {mean} and {std}."
            )

    def __call__(self, images: np.ndarray, rng: Any = None) -> np.ndarray:
        if images.shape[-3] != len(self.mean):
            raise ShapeError(f"Normalize: images of shape {images.shape} have {images.shape[-3]} channels, not {len(self.mean)}.")
        mean, std = self.mean[:, None, None], self.std[:, None, None]  # (C, 1, 1)
        return (images - mean) / (std * std) if len(images) > 1 else (images - mean) / std
