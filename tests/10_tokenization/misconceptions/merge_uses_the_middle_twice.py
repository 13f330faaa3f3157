"""In three alike both pairs become a token."""
# loses: test-merge, test-learn-slowly, test-merge-everywhere, test-learn-merges

# %% merge
#| export
def merge(ids, pair, new):
    merged, used = [], False
    for place, number in enumerate(ids):
        if tuple(ids[place : place + 2]) == tuple(pair):
            merged.append(new)
            used = True
        elif used:
            used = False
        else:
            merged.append(number)
    return merged
