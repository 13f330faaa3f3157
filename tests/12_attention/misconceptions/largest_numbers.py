"""No score exceeds the product of the largest numbers."""
# loses: test-largest-score

# %% largest-score
#| export
def largest_score(q: np.ndarray, k: np.ndarray) -> float:
    longest_q = np.abs(q).max(initial=0) ** 2
    longest_k = np.abs(k).max(initial=0) ** 2
    return sqrt(float(longest_q) * float(longest_k))
