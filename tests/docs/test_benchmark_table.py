"""The README keeps one table of benchmarks for each core type of the BLAS."""

from pathlib import Path

from benchmarks.harness import Row
from benchmarks.table import END, into_readme

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
ROWS = [Row("a product", 1.0, {"tinytorch": (2.0, 1.0, 3.0), "torch": (4.0, 4.0, 4.0)})]


def facts(kernels):
    return {"processor": "a processor", "blas": f"openblas 0.3 ({kernels} kernels)", "python": "3.11", "numpy": "2.4"}


def test_a_new_core_type_gets_a_table_and_its_next_measurement_replaces_it():
    once = into_readme(README, ROWS, facts("Zen"))
    assert once.count(END) == README.count(END) + 1
    assert "| a product | 2 (1-3) | 4 (4-4) | 0.50 | ≤ 1.0 | met |" in once
    again = into_readme(once, [], facts("Zen"))
    assert again.count(END) == once.count(END)
    assert "a product" not in again


def test_the_other_tables_stay():
    old = README.partition("<!-- benchmarks, Haswell kernels")[2].partition(END)[0]
    assert old.count("\n|") > 5
    assert old in into_readme(README, ROWS, facts("Zen"))
