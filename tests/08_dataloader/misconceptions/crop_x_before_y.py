"""Positions are (x, y), so columns come before rows."""
# loses: test-crop-each

# %% crop-each
#| export
def crop_each(images: np.ndarray, tops: np.ndarray, lefts: np.ndarray, size: int) -> np.ndarray:
    N, C = images.shape[:2]
    windows = np.empty((N, C, size, size), dtype=images.dtype)
    for window, image, top, left in zip(windows, images, tops.tolist(), lefts.tolist(), strict=True):
        window[...] = image[:, left : left + size, top : top + size]  # (C, H, W) -> (C, size, size)
    return windows
