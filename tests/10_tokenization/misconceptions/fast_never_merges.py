"""Taking the best pairs out of the heap one by one is the training."""
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
    return merges
