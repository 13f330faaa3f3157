"""Command line: `python -m tests.random_programs [graphs|layers|optimizers|loaders] [--cases N] [--seed N]`."""

import argparse
import time

import torch

from tests.random_programs import graphs, layers, loaders, optimizers

KINDS = {"graphs": graphs.run, "layers": layers.run, "optimizers": optimizers.run, "loaders": loaders.run}


def main() -> None:
    """Run fresh cases of the kinds that are named, or of all, and stop at the first that differs."""
    parser = argparse.ArgumentParser(prog="python -m tests.random_programs", description=__doc__)
    parser.add_argument("kinds", nargs="*", metavar="kind", help=f"of {', '.join(KINDS)}; all, if none is named")
    parser.add_argument("--cases", type=int, default=20_000, help="how many of each kind")
    parser.add_argument("--seed", type=int, default=None, help="number of the first case; by default the clock's")
    options = parser.parse_args()
    torch.set_num_threads(1)
    first = time.time_ns() % 10**9 if options.seed is None else options.seed
    for kind in options.kinds or KINDS:
        start = time.monotonic()
        for seed in range(first, first + options.cases):
            try:
                KINDS[kind](seed)
            except Exception as error:
                error.add_note(f"{kind}, case {seed}: repeat it with --cases 1 --seed {seed}")
                raise
        seconds = time.monotonic() - start
        print(f"{kind}: {options.cases} cases from {first} on agree with PyTorch {torch.__version__} ({seconds:.0f} s)")


if __name__ == "__main__":
    main()
