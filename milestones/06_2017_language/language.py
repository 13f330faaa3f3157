"""2017: a language model, the transformer reads the source of Python (Vaswani et al. 2017, Radford et al. 2018).

Every machine with Python has a few megabytes of text on it: the standard library. A small GPT reads most of its files
and is asked how well it foresees the others. What it must beat has been good since 1991: counting, how often each
character followed the four before it.
"""

import argparse
import sysconfig
import time
from pathlib import Path
from zlib import crc32

import numpy as np

import tinytorch
from tinytorch import manual_seed, no_grad, optim
from tinytorch.models import GPT
from tinytorch.nn import functional as F
from tinytorch.nn.utils import clip_grad_norm_
from tinytorch.text import BPETokenizer

NEEDS = (1, 2, 3, 4, 5, 6, 7, 10, 11, 12, 13)
GOALS = {"bits saved against counting": {"least": 0.05}}
SIZES = {"context": 128, "d_model": 128, "num_layers": 4, "num_heads": 4}
VOCABULARY, BATCH, RATE = 1024, 16, 3e-3
FULL = {"characters": 4_000_000, "steps": 1500, "unseen": 300_000, "order": 5}
QUICK = {"characters": 400_000, "steps": 100, "unseen": 30_000, "order": 2}
ELSEWHERE = {"test", "tests", "idlelib", "site-packages", "dist-packages", "lib2to3", "turtledemo"}


def library() -> tuple[str, str]:
    """The standard library's source, cut by file: nine parts in ten to read, one to be foretold.

    Which file goes where depends on its name alone, and so does their order; only plain ASCII files are taken.
    """
    root = Path(sysconfig.get_path("stdlib"))
    names = [path.relative_to(root) for path in root.rglob("*.py")]
    names = [name for name in names if not ELSEWHERE & set(name.parts)]
    keys = {name: crc32(name.as_posix().encode()) for name in names}
    known, new = [], []
    for name in sorted(names, key=keys.__getitem__):
        text = (root / name).read_text(encoding="utf-8")
        if text.isascii():
            (new if keys[name] % 10 == 0 else known).append(text)
    return "\n".join(known), "\n".join(new)


class Counting:
    """Characters foretold by counting, all orders mixed as Witten and Bell do it (1991, their method C).

    After a context h seen n times, with t different characters, the chance of c is (count(hc) + t p) / (n + t), where p
    is the chance that the context without its first character gives; a context never seen says nothing.
    """

    def __init__(self, text: str, order: int) -> None:
        self.ids, self.order = codes(text), order

    def bits(self, text: str) -> float:
        """Mean bits for each character of `text` after the first few."""
        new, size = codes(text), 128  # ASCII
        chance = np.full(len(new) - self.order + 1, 1 / size)
        for length in range(self.order):  # of the context
            grams, counts = np.unique(windows(self.ids, length + 1), return_counts=True)
            contexts, where, types = np.unique(grams // size, return_inverse=True, return_counts=True)
            totals = np.bincount(where, weights=counts)
            asked = windows(new[self.order - 1 - length :], length + 1)
            n, t = look_up(contexts, totals, asked // size), look_up(contexts, types, asked // size)
            mixed = (look_up(grams, counts, asked) + t * chance) / np.maximum(n + t, 1)
            chance = np.where(n > 0, mixed, chance)
        return float(-np.log2(chance).mean())


def codes(text: str) -> np.ndarray:
    """Characters as numbers below 128."""
    return np.frombuffer(text.encode("ascii"), np.uint8).astype(np.int64)


def windows(ids: np.ndarray, length: int) -> np.ndarray:
    """Every run of `length` characters as one number: (n,) -> (n - length + 1,)."""
    grams = np.zeros(len(ids) - length + 1, np.int64)
    for i in range(length):
        grams = grams * 128 + ids[i : len(ids) - length + 1 + i]
    return grams


def look_up(keys: np.ndarray, values: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """The value of each asked key, 0 for one that is not among the sorted keys."""
    place = np.minimum(np.searchsorted(keys, asked), len(keys) - 1)
    return np.where(keys[place] == asked, values[place], 0)


def train(model: GPT, ids: np.ndarray, steps: int, rng: np.random.Generator) -> list[float]:
    """Show the model windows of the text; return the loss of each step, in nats for a token."""
    adam = optim.AdamW(model.parameters(), lr=RATE, weight_decay=0.1)
    rise = optim.lr_scheduler.LinearLR(adam, start_factor=0.01, total_iters=steps // 10)
    fall = optim.lr_scheduler.CosineAnnealingLR(adam, T_max=steps - steps // 10, eta_min=RATE / 10)
    schedule = optim.lr_scheduler.SequentialLR(adam, [rise, fall], milestones=[steps // 10])
    losses, start = [], time.monotonic()
    for step in range(1, steps + 1):
        places = rng.integers(0, len(ids) - model.context, size=(BATCH, 1)) + np.arange(model.context + 1)
        batch = ids[places]  # (B, T + 1)
        logits = model(batch[:, :-1])  # (B, T, V)
        loss = F.cross_entropy(logits.reshape(-1, logits.shape[-1]), batch[:, 1:].reshape(-1))
        adam.zero_grad()
        loss.backward()
        clip_grad_norm_(model.parameters(), 1.0)
        adam.step()
        schedule.step()
        losses.append(loss.item())
        if step % (steps // 30) == 0:
            left = (time.monotonic() - start) / step * (steps - step)
            print(f"step {step:4} of {steps}, loss {np.mean(losses[-50:]):.3f} nats a token, about {left:.0f} s left")
    return losses


def bits(model: GPT, tokenizer: BPETokenizer, text: str) -> float:
    """Mean bits for each character of `text`, read in windows that know nothing of the one before."""
    ids, nats = tokenizer.encode(text), 0.0
    T = model.context
    rows = (len(ids) - 1) // T  # what is left at the end, less than a window, is not asked
    inputs, targets = ids[: rows * T].reshape(rows, T), ids[1 : rows * T + 1].reshape(rows, T)
    with no_grad():
        for first in range(0, rows, BATCH):
            logits, right = model(inputs[first : first + BATCH]), targets[first : first + BATCH].reshape(-1)
            nats += F.cross_entropy(logits.reshape(-1, logits.shape[-1]), right).item() * len(right)
    return nats / np.log(2) / len(tokenizer.decode(targets.reshape(-1)))


def run(seed: int, picture: Path | None = None, quick: bool = False) -> dict[str, float]:
    """Read the library, foretell its other files, and compare with counting.

    Args:
        seed: of the first weights, the windows and the sample.
        picture: where to save one, or None.
        quick: a tenth of the text, a fifteenth of the steps, and compared with counting pairs only.

    Returns:
        The share of counting's bits for a character that the GPT does without.
    """
    size = QUICK if quick else FULL
    known, new = (text[: size[part]] for text, part in zip(library(), ("characters", "unseen"), strict=True))
    counted = Counting(known, size["order"]).bits(new)
    tokenizer = BPETokenizer().train(known[:1_000_000], VOCABULARY)
    ids = tokenizer.encode(known)
    print(f"{len(known):,} characters are {len(ids):,} tokens, {len(known) / len(ids):.2f} characters each")
    manual_seed(seed)
    model = GPT(tokenizer.vocab_size, **SIZES)
    before = bits(model, tokenizer, new[:30_000])
    losses = train(model, ids, size["steps"], np.random.default_rng(seed))
    after = bits(model, tokenizer, new)
    prompt = tokenizer.encode("def ")[None]
    print(f"\nIt writes:\n\n{tokenizer.decode(model.generate(prompt, 150, temperature=0.8, seed=seed)[0])}\n")
    print(
        f"A GPT of {sum(p.numel() for p in model.parameters()):,} weights, with the code in "
        f"{Path(tinytorch.__file__).parent},\n"
        f"has learned from {len(known):,} characters of Python's standard library in {size['steps']:,} batches.\n"
        f"For a character of files that it had never seen it needs {after:.3f} bits ({before:.2f} before it learned);\n"
        f"counting {size['order']} characters at a time in the same text, {counted:.3f}."
    )
    if not quick:
        print(f"The claim is: less than counting. This run {'keeps it' if after < counted else 'falls short of it'}.")
    if picture:
        draw(model, tokenizer, losses, picture)
        print(f"How its loss fell, and where three of its heads look: {picture}")
    return {"bits saved against counting": 1 - after / counted}


def draw(model: GPT, tokenizer: BPETokenizer, losses: list[float], path: Path) -> None:
    """Save a picture of the loss, and of the sharpest head of each of the first three blocks on two lines of code."""
    import matplotlib.pyplot as plt

    ids = tokenizer.encode("for name in names:\n    print(name)\n")
    tokens = [repr(tokenizer.decode([token]))[1:-1] for token in ids]
    figure, (curve, *maps) = plt.subplots(1, 4, figsize=(13, 3.4), layout="constrained")
    width = max(1, len(losses) // 50)
    curve.plot(np.arange(width, len(losses) + 1), np.convolve(losses, np.ones(width) / width, mode="valid"))
    curve.set(xlabel="step", ylabel="loss, nats a token")
    with no_grad():
        x = model.positions(model.embedding(ids[None]))  # (1, T, C)
        for number, (ax, block) in enumerate(zip(maps, model.blocks, strict=False), start=1):
            weights = block.attention(block.norm1(x), is_causal=True, need_weights=True)[1][0]  # (H, T, T)
            head = int(weights.max(axis=-1).mean(axis=-1).argmax())
            ax.imshow(weights[head], cmap="gray_r", vmin=0, vmax=1)
            ax.set_xticks(range(len(ids)), tokens, fontsize=6, rotation=90)
            ax.set_yticks(range(len(ids)), tokens, fontsize=6)
            ax.set_title(f"block {number}, head {head + 1}", fontsize=8)
            x = block(x)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=80)
    plt.close(figure)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0, help="of the weights, the windows and the sample (default: 0)")
    parser.add_argument("--picture", type=Path, default=Path("language.png"), metavar="FILE", help="where to save it")
    parser.add_argument("--quick", action="store_true", help="a tenth of it, in under a minute")
    options = parser.parse_args()
    run(options.seed, options.picture, options.quick)
