"""The top of a heap is always the most frequent pair."""
# loses: test-pop-best, test-learn-merges, test-bpe-tokenizer, test-module-tokenization

# %% pop-best
#| export
def pop_best(heap, totals):
    if not heap:
        return None
    negative, pair = heappop(heap)
    return pair if -negative >= 2 else None
