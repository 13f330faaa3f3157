"""Command line: `python -m benchmarks [--only WORD] [--quick] [--readme]`."""

import argparse
from dataclasses import replace
from pathlib import Path

from rich.progress import track

from benchmarks import (
    attention,
    chain,
    cnn,
    embedding,
    generation,
    gpt,
    graph,
    loader,
    mlp,
    profiling,
    quantization,
    sparse,
    text,
)
from benchmarks.harness import measure
from benchmarks.memory import measure_memory
from benchmarks.table import into_readme, machine, show, to_json
from tito.files import write_atomic

ROOT = Path(__file__).parents[1]
WORKLOADS = [
    *mlp.WORKLOADS,
    *cnn.WORKLOADS,
    *embedding.WORKLOADS,
    *attention.WORKLOADS,
    *gpt.WORKLOADS,
    *generation.WORKLOADS,
    *quantization.WORKLOADS,
    *chain.WORKLOADS,
    *graph.WORKLOADS,
    *loader.WORKLOADS,
    *text.WORKLOADS,
    *profiling.WORKLOADS,
    *sparse.WORKLOADS,
]


def main() -> None:
    """Measure, show the table, and write benchmarks/results/latest.json."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", default="", help="run the workloads whose name contains this word")
    parser.add_argument("--quick", action="store_true", help="three rounds: shows that it runs, measures nothing")
    parser.add_argument("--readme", action="store_true", help="write the table into README.md")
    options = parser.parse_args()
    chosen = [w for w in WORKLOADS if options.only.lower() in w.name.lower()]
    if options.quick:
        chosen = [replace(w, rounds=3) for w in chosen]
    rows = [measure(w) for w in track(chosen, "measuring", transient=True)]
    if options.only.lower() in "memory":
        rows += measure_memory()
    show(rows)
    write_atomic(ROOT / "benchmarks/results/latest.json", to_json(rows))
    if options.readme and not options.quick:
        readme = ROOT / "README.md"
        write_atomic(readme, into_readme(readme.read_text(encoding="utf-8"), rows, machine()))


if __name__ == "__main__":
    main()
