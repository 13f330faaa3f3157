"""The result as a table on the screen, as JSON, and as the generated block of the README."""

import json
import os
import platform
import re
from pathlib import Path

import numpy as np
import threadpoolctl
from rich.console import Console
from rich.table import Table

from benchmarks.harness import Row

END = "<!-- end of benchmarks -->"


def machine() -> dict[str, str]:
    """What the figures depend on: processor, BLAS with its core type, versions."""
    libraries = {
        f"{info['internal_api']} {info.get('version') or ''}".strip(): info.get("architecture") or "?"
        for info in threadpoolctl.threadpool_info()
        if info["user_api"] == "blas"
    }
    versions = {"python": platform.python_version(), "numpy": np.__version__}
    for name in ("torch", "mygrad", "tokenizers"):
        module = __import__("sys").modules.get(name)
        if module is not None:
            versions[name] = module.__version__
    if "torch" in versions and "ATEN_CPU_CAPABILITY" in os.environ:
        versions["torch"] += f" held to {os.environ['ATEN_CPU_CAPABILITY'].upper()}"
    cores = ", ".join(f"{library} ({core} kernels)" for library, core in libraries.items())
    return {"processor": _processor(), "blas": cores, **versions}


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    match = re.search(r"model name\s*: (.*)", cpuinfo.read_text()) if cpuinfo.is_file() else None
    return match[1].strip() if match else platform.processor() or platform.machine()


def show(rows: list[Row]) -> None:
    """Print the table."""
    table = Table(title="CPU milliseconds per step (or MB where said), one thread, medians of interleaved rounds")
    for column in ("workload", "tinytorch", "torch, or as named", "ratio", "goal", "verdict", "mygrad / torch"):
        table.add_column(column, justify="left" if column == "workload" else "right")
    for row in rows:
        table.add_row(*cells(row))
    console = Console(width=max(140, Console().width))
    console.print(table)
    for key, value in machine().items():
        console.print(f"{key}: {value}", highlight=False)


def cells(row: Row) -> list[str]:
    """One row in words."""

    def spread(name: str) -> str:
        if name not in row.times:
            return "-"
        middle, low, high = row.times[name]
        return f"{middle:.3g} ({low:.3g}-{high:.3g})"

    peer = f"{row.times['mygrad'][0] / row.times['torch'][0]:.2f}" if {"mygrad", "torch"} <= set(row.times) else "-"
    ratio = "-" if row.ratio is None else f"{row.ratio:.2f}"
    goal = "-" if row.goal is None else f"<= {row.goal}"
    return [row.name, spread("tinytorch"), spread(row.against), ratio, goal, row.verdict, peer]


def to_json(rows: list[Row]) -> str:
    """Everything measured, for later comparison."""
    table = [{"name": r.name, "goal": r.goal, "ratio": r.ratio, "ms": r.times, "verdict": r.verdict} for r in rows]
    return json.dumps({"machine": machine(), "rows": table}, indent=2) + "\n"


def into_readme(text: str, rows: list[Row], facts: dict[str, str]) -> str:
    """Return the README's text with the table for this machine's kernels replaced, or put behind the others.

    Args:
        text: the README.
        rows: what was measured.
        facts: about the machine, from `machine`; one table is kept for each core type that its `blas` names.
    """
    lines = [
        "| workload (ms, or MB where said) | ours | PyTorch, or as named | ratio | goal | |",
        "|---|--:|--:|--:|--:|---|",
    ]
    for row in rows:
        name, ours, theirs, ratio, goal, verdict, _ = cells(row)
        lines.append(f"| {name} | {ours} | {theirs} | {ratio} | {goal.replace('<=', '≤')} | {verdict} |")
    about = (
        f"Median (quartiles) of CPU time on one thread, interleaved in one process: {facts['processor']}, "
        f"{facts['blas']}, Python {facts['python']}, "
        f"NumPy {facts['numpy']}, PyTorch {facts.get('torch', 'not installed')}."
    )
    kernels = re.search(r"\((.*?)\)", facts["blas"])
    start = (
        f"<!-- benchmarks, {kernels[1] if kernels else facts['blas']}: written by `python -m benchmarks --readme` -->"
    )
    block = "\n".join([start, "", *lines, "", about, "", END])
    if start not in text:
        return text.replace(END, f"{END}\n\n{block}", 1)
    return re.sub(re.escape(start) + ".*?" + re.escape(END), lambda _: block, text, flags=re.DOTALL)
