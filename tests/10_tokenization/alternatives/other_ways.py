"""Every exercise solved in another way."""

# %% char-tokenizer
#| export
class CharTokenizer:

    def __init__(self) -> None:
        self.characters: list[str] = []
        self.numbers: dict[str, int] = {}

    @property
    def vocab_size(self) -> int:
        return len(self.characters)

    def train(self, text):
        check_text(text)
        found = []
        for character in text:
            if character not in found:
                found.append(character)
        self.characters = sorted(found)
        self.numbers = dict(zip(self.characters, range(len(found))))
        return self

    def encode(self, text):
        check_text(text)
        ids = np.empty(len(text), dtype=np.intp)
        for place in range(len(text)):
            try:
                ids[place] = self.numbers[text[place]]
            except KeyError:
                raise ValueError(f"no number for {text[place]!r} (place {place})") from None
        return ids

    def decode(self, ids):
        known = check_ids(ids, self.vocab_size)
        return "".join(np.array(self.characters, dtype=object)[known].tolist()) if known else ""

# %% count-pairs
#| export
def count_pairs(words, counts):
    totals = Counter()
    for ids, count in zip(words, counts, strict=True):
        for k in range(len(ids) - 1):
            totals[ids[k], ids[k + 1]] += count
    return totals

# %% merge
#| export
def merge(ids, pair, new):
    merged = []
    for number in ids:
        if merged and merged[-1] == pair[0] and number == pair[1] and not fresh:
            merged[-1] = new
            fresh = True
        else:
            merged.append(number)
            fresh = False
    return merged

# %% learn-slowly
def learn_slowly(words, counts, most):
    merges = []
    for new in range(256, 256 + most):
        ranking = sorted((-total, pair) for pair, total in count_pairs(words, counts).items())
        if not ranking or ranking[0][0] > -2:
            return merges
        merges.append(ranking[0][1])
        words = list(map(lambda ids: merge(ids, merges[-1], new), words))
    return merges

# %% token-bytes
#| export
def token_bytes(merges):
    def spelled(number):
        if number < 256:
            return number.to_bytes(1, "big")
        return b"".join(map(spelled, merges[number - 256]))

    return [spelled(number) for number in range(256 + len(merges))]

# %% pop-best
#| export
def pop_best(heap, totals):
    while len(heap) > 0:
        entry = heappop(heap)
        today = totals.get(entry[1], 0)
        if entry[0] + today == 0:
            return None if today < 2 else entry[1]

# %% merge-everywhere
#| export
def merge_everywhere(pairs, pair, new):
    changes = defaultdict(int)
    for number in sorted(pairs.where[pair]):
        count, old = pairs.counts[number], list(pairwise(pairs.words[number]))
        pairs.words[number] = merge(pairs.words[number], pair, new)
        fresh = list(pairwise(pairs.words[number]))
        for place in set(old) | set(fresh):
            changes[place] += count * (fresh.count(place) - old.count(place))
            if place in fresh:
                pairs.where[place].add(number)
            else:
                pairs.where[place].discard(number)
    del pairs.where[pair]
    for place in changes:
        pairs.totals[place] = pairs.totals[place] + changes[place]
        heappush(pairs.heap, (-pairs.totals[place], place))

# %% learn-merges
#| export
def learn_merges(words, counts, most):
    pairs = Pairs(words, counts)
    merges = []
    for new in range(256, 256 + most):
        best = pop_best(pairs.heap, pairs.totals)
        if best is not None:
            merges.append(best)
            merge_everywhere(pairs, best, new)
    return merges

# %% encode-word
#| export
def encode_word(ids, ranks):
    ids = list(ids)
    while len(ids) > 1:
        best = min(pairwise(ids), key=lambda pair: ranks.get(pair, inf))
        if best not in ranks:
            break
        ids = merge(ids, best, ranks[best])
    return ids

# %% word-cache
#| export
class WordCache(dict):

    def __init__(self, ranks, most=200_000):
        super().__init__()
        self.ranks, self.most = ranks, most

    def __missing__(self, word):
        ids = encode_word(word.encode("utf-8"), self.ranks)
        if len(self) == self.most:
            for old in list(self):
                del self[old]
        self[word] = ids
        return self[word]

# %% split-special
#| export
def split_special(text, special):
    pieces = [""]
    marks = sorted(special, key=lambda mark: -len(mark))
    while text:
        mark = next((mark for mark in marks if text.startswith(mark)), None)
        if mark is None:
            pieces[-1] += text[0]
            text = text[1:]
        else:
            pieces += [mark, ""]
            text = text[len(mark) :]
    return pieces

# %% bpe-tokenizer
#| export
class BPETokenizer(SavedAsJson):

    def __init__(self, special_tokens=()):
        self.special_tokens = check_special(special_tokens)
        self.set_merges([])

    def set_merges(self, merges):
        self.merges = merges
        self.ranks = {pair: 256 + k for k, pair in enumerate(merges)}
        self.tokens = token_bytes(merges) + [mark.encode() for mark in self.special_tokens]
        self.known = WordCache(self.ranks)

    @property
    def vocab_size(self):
        return len(self.tokens)

    def train(self, text, vocab_size):
        check_text(text)
        most = room_for_merges(vocab_size, self.special_tokens)
        found = Counter()
        for piece in split_special(text, self.special_tokens)[::2]:
            found.update(WORDS.findall(piece))
        self.set_merges(learn_merges([[*word.encode()] for word in found], list(found.values()), most))
        return self

    def encode(self, text, allowed_special=()):
        check_text(text)
        allowed = check_allowed(allowed_special, self.special_tokens)
        first = 256 + len(self.merges)
        ids = []
        pieces = split_special(text, allowed)
        for plain, mark in zip(pieces[::2], [*pieces[1::2], None], strict=True):
            ids += chain.from_iterable(map(self.known.__getitem__, WORDS.findall(plain)))
            if mark is not None:
                ids.append(self.vocab_size - len(self.special_tokens) + self.special_tokens.index(mark))
        return np.array(ids, dtype=np.intp)

    def decode(self, ids):
        known = check_ids(ids, self.vocab_size)
        written = bytearray()
        for number in known:
            written += self.tokens[number]
        return str(written, "utf-8", "replace")
