"""Sums over two sets of keys are added."""
# loses: test-online, test-module-attention

# %% online
#| export
def merge_sums(one: Sums, other: Sums) -> Sums:
    top = np.maximum(one[2], other[2])
    shrink = [np.exp(part[2] - top) for part in (one, other)]  # (..., T, 1), one of them is 1
    answers, total = (one[i] + other[i] for i in (0, 1))
    return answers, total, top


def weigh_in_chunks(
    q: np.ndarray, k: np.ndarray, v: np.ndarray, causal: bool = False, chunk: int = 256
) -> Sums:
    sums = None
    for start in range(0, max(k.shape[-2], 1), chunk):
        keys = slice(start, start + chunk)
        new = weigh(chunk_scores(q, k, keys, causal), v[..., keys, :])
        sums = new if sums is None else merge_sums(sums, new)
    return sums
