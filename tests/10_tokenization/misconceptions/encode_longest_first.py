"""The longest token that fits is taken, from left to right."""
# loses: test-encode-word

# %% encode-word
#| export
def encode_word(ids, ranks):
    made = {bytes([number]): number for number in range(256)}
    tokens = [bytes([number]) for number in range(256)]
    for (left, right), number in ranks.items():
        tokens.append(tokens[left] + tokens[right])
        made[tokens[-1]] = number
    word, cut = bytes(ids), []
    while word:
        length = max(n for n in range(1, len(word) + 1) if word[:n] in made)
        cut.append(made[word[:length]])
        word = word[length:]
    return cut
