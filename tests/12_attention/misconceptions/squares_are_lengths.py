"""The length of a row is the sum of its squares."""
# loses: test-largest-score

# %% largest-score
#| export
def largest_score(q: np.ndarray, k: np.ndarray) -> float:
    longest_q = np.vecdot(q, q).max(initial=0)
    longest_k = np.vecdot(k, k).max(initial=0)
    return float(longest_q) * float(longest_k)
