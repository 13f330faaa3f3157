"""The first new token is 257, for 256 is the last byte."""
# loses: test-learn-merges, test-bpe-tokenizer, test-module-tokenization

# %% learn-merges
#| export
def learn_merges(words, counts, most):
    pairs, merges = Pairs(words, counts), []
    while len(merges) < most:
        best = pop_best(pairs.heap, pairs.totals)
        if best is None:
            break
        merges.append(best)
        merge_everywhere(pairs, best, 256 + len(merges))
    return merges
