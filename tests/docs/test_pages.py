"""What every page owes its reader besides exercises and measurements: sources, and figures of systems in use."""

import re
from pathlib import Path

import pytest

from tito.registry import MODULES
from tito.sources.cells import read_cells

ROOT = Path(__file__).parents[2]
CITED = re.compile(  # Williams, Waterman and Patterson, 2009; Gage, *A new algorithm for data compression*, 1994
    r"[A-Z][\w-]+(?: et\s+al\.| (?:and|&) [A-Z][\w-]+)?,?\s(?:\*[^*]+\*,?\s)?\(?(?:19|20)\d\d\b"
)
SYSTEMS = re.compile(r"PyTorch|GPT|Llama|BERT|AlexNet|FlashAttention|TensorFlow|cuDNN")
every_module = pytest.mark.parametrize("module", MODULES, ids=lambda module: module.folder)


@every_module
def test_a_page_cites_its_sources_and_gives_figures_of_real_systems(module):
    texts = [cell.source for cell in read_cells(ROOT / module.source) if cell.kind == "markdown"]
    assert CITED.search("\n".join(texts))
    assert [text for text in texts if SYSTEMS.search(text) and re.search(r"\d", text)]
