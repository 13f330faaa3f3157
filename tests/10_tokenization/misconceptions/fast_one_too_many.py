"""It learns until it has more merges than wanted."""
# loses: test-learn-merges, test-bpe-tokenizer, test-module-tokenization

# %% learn-merges
#| export
def learn_merges(words, counts, most):
    pairs, merges = Pairs(words, counts), []
    while len(merges) <= most:
        best = pop_best(pairs.heap, pairs.totals)
        if best is None:
            break
        merge_everywhere(pairs, best, 256 + len(merges))
        merges.append(best)
    return merges
