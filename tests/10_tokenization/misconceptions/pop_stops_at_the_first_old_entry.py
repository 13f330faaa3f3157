"""Where an entry is out of date, the heap has nothing more to offer."""
# loses: test-pop-best, test-learn-merges, test-bpe-tokenizer, test-module-tokenization

# %% pop-best
#| export
def pop_best(heap, totals):
    if heap:
        negative, pair = heappop(heap)
        if totals[pair] == -negative and totals[pair] >= 2:
            return pair
    return None
