"""Whatever a student does to the notebook, the answers are found, and what was put right is said."""

import json
import os
from dataclasses import replace

import nbformat
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mini import GOOD, answered

from tito.engine.normalise import normalise
from tito.engine.reading import MAX_BYTES, Unreadable, parse_submission, read_bytes
from tito.engine.skeleton import load_skeleton, with_directives
from tito.sources.cells import Cell, read_cells


@pytest.fixture(scope="module")
def skeleton(released_once):
    name = "01_tensor/tensor.ipynb"
    return load_skeleton(released_once.release / name, released_once.source / name)


@pytest.fixture
def notebook(released_once):
    """The submission as a plain dict, to be damaged."""
    return json.loads(nbformat.writes(answered(released_once, GOOD)))


def managed_id(cell):
    return cell["metadata"].get("nbgrader", {}).get("grade_id")


def cell_of(notebook, grade_id):
    return next(cell for cell in notebook["cells"] if managed_id(cell) == grade_id)


def check(notebook, skeleton):
    """Normalise, assert that the result is pristine except for the answers, and return (answers, repairs, remarks)."""
    data = notebook if isinstance(notebook, bytes) else json.dumps(notebook).encode()
    result = normalise(parse_submission(data), skeleton)
    nbformat.validate(result.notebook)
    pristine = skeleton.notebook()
    assert len(result.notebook.cells) == len(pristine.cells)
    answers = {}
    for got, want in zip(result.notebook.cells, pristine.cells, strict=True):
        managed = want.metadata.get("nbgrader", {})
        if managed.get("solution"):
            answers[managed["grade_id"]] = got.source
        else:
            assert got.source == want.source
        assert got.metadata == want.metadata
        assert got.cell_type == want.cell_type
    return answers, result.repairs, result.remarks


def test_untouched_submission_needs_no_repair(notebook, skeleton):
    assert check(notebook, skeleton) == (GOOD, (), ())


def test_skeleton_has_hidden_tests_but_no_solution(skeleton):
    text = nbformat.writes(skeleton.notebook())
    assert "hidden_rows" in text
    assert "np.float32(factor)" not in text
    assert "Half the memory" not in text
    assert text.count("your code here") == 2


def lose_all_metadata(nb):
    for cell in nb["cells"]:
        cell["metadata"] = {}
        del cell["id"]
    nb["nbformat_minor"] = 4


def lose_nbgrader_keep_ids(nb):
    for cell in nb["cells"]:
        cell["metadata"] = {}


def delete_test(nb):
    nb["cells"].remove(cell_of(nb, "test-scale"))


def delete_setup(nb):
    nb["cells"] = [c for c in nb["cells"] if "default_exp" not in "".join(c["source"])]


def duplicate_answer(nb):
    cell = cell_of(nb, "scale")
    stub = '#| export\ndef scale(x, factor):\n    """Return `x` times `factor` as float32."""\n'
    stub += '    raise NotImplementedError("your code here")'
    nb["cells"].append(json.loads(json.dumps(cell | {"source": stub})))


def retype_answer(nb):
    cell = cell_of(nb, "scale")
    cell["cell_type"] = "markdown"
    cell.pop("outputs"), cell.pop("execution_count")


def retype_test(nb):
    cell_of(nb, "test-scale")["cell_type"] = "raw"


def reorder(nb):
    nb["cells"].reverse()


def edit_test(nb):
    cell_of(nb, "test-scale")["source"] = "def test_unit_scale():\n    pass"


def edit_given(nb):
    given = next(c for c in nb["cells"] if "default_exp" in "".join(c["source"]))
    given["source"] = "import numpy as np\nimport math"


def change_points(nb):
    cell_of(nb, "test-scale")["metadata"]["nbgrader"]["points"] = 100


def change_points_to_text(nb):
    cell_of(nb, "q-float32")["metadata"]["nbgrader"]["points"] = "all"


def new_schema(nb):
    cell_of(nb, "scale")["metadata"]["nbgrader"]["schema_version"] = 99


def unprintable_schema(nb):
    cell_of(nb, "scale")["metadata"]["nbgrader"]["schema_version"] = "\ud800"


def skip_execution(nb):
    cell_of(nb, "test-scale")["metadata"]["tags"] = ["skip-execution"]


def foreign_kernel(nb):
    nb["metadata"]["kernelspec"] = {"name": "ir", "language": "R", "display_name": "R"}


def invalid_ids(nb):
    for cell in nb["cells"]:
        cell["id"] = "not a valid id!" * 9


def odd_types(nb):
    nb["metadata"] = []
    nb["cells"].append("text")
    for cell in nb["cells"][:-1]:
        cell["id"] = 7


DAMAGE = [
    (lose_all_metadata, "metadata was lost"),
    (lose_nbgrader_keep_ids, "metadata was lost"),
    (delete_test, "Test cell 'test-scale' was deleted"),
    (delete_setup, "was deleted"),
    (duplicate_answer, "'scale' was there 2 times"),
    (retype_answer, "'scale' had been turned into markdown"),
    (retype_test, "'test-scale' had been turned into raw"),
    (reorder, "moved"),
    (edit_test, "Test cell 'test-scale' had been edited"),
    (edit_given, "Given cell 'imports' had been edited"),
    (change_points, "points of cell 'test-scale'"),
    (change_points_to_text, "points of cell 'q-float32'"),
    (new_schema, "schema version 99"),
    (unprintable_schema, "schema version none"),
    (skip_execution, "skip-execution"),
    (foreign_kernel, "'R' kernel"),
    (odd_types, "were not cells"),
]


@pytest.mark.parametrize(("damage", "says"), DAMAGE, ids=[d.__name__ for d, _ in DAMAGE])
def test_answers_survive_and_the_repair_is_said(damage, says, notebook, skeleton):
    damage(notebook)
    answers, repairs, _ = check(notebook, skeleton)
    assert answers == GOOD
    assert any(says in repair for repair in repairs), repairs


def test_invalid_ids_matter_to_nobody(notebook, skeleton):
    invalid_ids(notebook)
    assert check(notebook, skeleton) == (GOOD, (), ())


def test_nbformat_3(notebook, skeleton):
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            cell["input"] = cell.pop("source")
    old = {"nbformat": 3, "nbformat_minor": 0, "metadata": {}, "worksheets": [{"cells": notebook["cells"]}]}
    answers, repairs, _ = check(old, skeleton)
    assert answers == GOOD
    assert repairs == ("The notebook was saved in an old format (nbformat 3) and was converted.",)


def test_the_last_edited_copy_counts(notebook, skeleton):
    newer = "#| export\ndef scale(x, factor):\n    return 2\n"
    notebook["cells"].append(cell_of(notebook, "scale") | {"source": newer})
    assert check(notebook, skeleton)[0]["scale"] == newer


@pytest.mark.parametrize(
    "parts",
    [
        ("#| export\ndef scale(x, factor):\n    return double(x) * factor / 2", "def double(x):\n    return 2 * x"),
        ("#| export\ndef scale(x, factor):\n    y = x * factor", "    return y"),
        ("# an idea", "#| export\ndef scale(x, factor):\n    return x * factor", "# a note after it"),
    ],
    ids=["a helper", "the middle of a function", "comments"],
)
def test_the_parts_of_a_split_answer_are_put_together(notebook, skeleton, parts):
    """JupyterLab gives each part the metadata of the whole."""
    place = notebook["cells"].index(cell_of(notebook, "scale"))
    notebook["cells"][place : place + 1] = [notebook["cells"][place] | {"source": part} for part in parts]
    answers, repairs, _ = check(notebook, skeleton)
    assert [line for line in answers["scale"].splitlines() if line != "#| export"] == [
        line for line in "\n".join(parts).splitlines() if line != "#| export"
    ]
    assert repairs == (f"Cell 'scale' was split into {len(parts)} cells; they were put together.",)


def test_an_older_version_is_no_part(notebook, skeleton):
    answer = cell_of(notebook, "scale")
    place = notebook["cells"].index(answer)
    notebook["cells"][place:place] = [answer | {"source": "def scale(x, factor):\n    return 0"}]
    answers, repairs, _ = check(notebook, skeleton)
    assert answers["scale"] == GOOD["scale"]
    assert repairs == ("Cell 'scale' was there 2 times; the last edited one was used.",)


def test_a_deleted_answer_is_a_blank_answer(notebook, skeleton):
    notebook["cells"].remove(cell_of(notebook, "shift"))
    answers, repairs, _ = check(notebook, skeleton)
    assert "your code here" in answers["shift"]
    assert answers["scale"] == GOOD["scale"]
    assert repairs == ("Answer cell 'shift' was not found; it counts as not answered.",)


def test_a_notebook_without_any_answer_cell_is_another_one(notebook, skeleton):
    notebook["cells"] = [cell for cell in notebook["cells"] if managed_id(cell) not in GOOD]
    with pytest.raises(Unreadable, match=r"^none of the module's answer cells is in it; perhaps it is another module"):
        check(notebook, skeleton)


def test_many_deleted_cells_are_one_note(notebook, skeleton):
    notebook["cells"] = [cell for cell in notebook["cells"] if managed_id(cell) in GOOD]
    _, (note,), _ = check(notebook, skeleton)
    assert note.startswith("3 given and test cells were deleted: 'imports', 'test-scale', 'test-shift'; the")


def test_own_cells_that_no_answer_needs_are_left_out_without_a_word(notebook, skeleton):
    own = {
        "cell_type": "code",
        "metadata": {},
        "source": "print(1)",
        "outputs": [],
        "execution_count": None,
        "id": "mine",
    }
    notebook["cells"].insert(2, own)
    answers, repairs, remarks = check(notebook, skeleton)
    assert (answers, repairs, remarks) == (GOOD, (), ())


def test_a_helper_in_a_cell_of_ones_own_is_named(notebook, skeleton):
    cell = cell_of(notebook, "scale")
    cell["source"] = "#| export\ndef scale(x, factor):\n    return half(x) * np.float32(2 * factor)\n"
    helper = {"cell_type": "code", "metadata": {}, "source": "#| export\nimport numpy as np\ndef half(x): return x / 2"}
    notebook["cells"].insert(2, helper)
    _, _, remarks = check(notebook, skeleton)
    assert remarks == (needs("half"),)


def test_what_an_edited_given_cell_had_and_an_answer_needs_is_named(notebook, skeleton):
    cell_of(notebook, "imports")["source"] += "\nfrom functools import reduce\n"
    assert check(notebook, skeleton)[2] == ()
    cell_of(notebook, "scale")["source"] = "#| export\ndef scale(x, factor):\n    return reduce(mul, [x, factor])\n"
    _, repairs, remarks = check(notebook, skeleton)
    assert repairs == ("Given cell 'imports' had been edited; the original was used.",)
    assert remarks == (needs("reduce"),)


def needs(name):
    told = f"Your own cells and edits of given cells are left out, and an answer uses '{name}' from there"
    return f"{told}: put helpers into the answer cell that uses them."


@pytest.mark.parametrize("timer", ["%%time", "%%timeit -n1 -r1"])
@pytest.mark.parametrize("first", [True, False])
def test_a_command_that_times_an_answer_is_left_out(timer, first, notebook, skeleton):
    cell = cell_of(notebook, "scale")
    directive, rest = GOOD["scale"].split("\n", 1)
    cell["source"] = f"{timer}\n{directive}\n{rest}" if first else f"{directive}\n{timer}\n{rest}"
    answers, _, remarks = check(notebook, skeleton)
    assert answers["scale"].rstrip() == GOOD["scale"].rstrip()
    assert remarks == (f"'{timer}' at the top of cell 'scale' was left out: it is no Python.",)


def test_an_answer_written_in_a_text_cell_of_ones_own_is_mentioned(notebook, skeleton):
    place = notebook["cells"].index(cell_of(notebook, "q-float32"))
    notebook["cells"].insert(place + 1, {"cell_type": "markdown", "metadata": {}, "source": "Because it is half."})
    assert check(notebook, skeleton)[2] == ()
    (slot,) = (slot for slot in skeleton.slots if slot.grade_id == "q-float32")
    cell_of(notebook, "q-float32")["source"] = slot.shown
    said = "Written answer 'q-float32' is blank, and a text cell of your own is left out: write into the answer's cell."
    assert check(notebook, skeleton)[2] == (said,)


def own_cell(source):
    return {"cell_type": "code", "metadata": {}, "source": source}


def cut(notebook, grade_id, line):
    """Split a cell as JupyterLab does: both parts keep its metadata."""
    cell = cell_of(notebook, grade_id)
    lines = cell["source"].splitlines(keepends=True)
    parts = [cell | {"source": "".join(part).rstrip("\n")} for part in (lines[:line], lines[line:])]
    place = notebook["cells"].index(cell)
    notebook["cells"][place : place + 1] = parts


@pytest.mark.parametrize("line", [1, 2, 3])
def test_a_split_answer_is_joined(notebook, skeleton, line):
    """Below the directive, inside the function, or between two functions."""
    helper = GOOD["scale"] + "def half(x):\n    return x / 2\n"
    cell_of(notebook, "scale")["source"] = helper
    cut(notebook, "scale", line)
    answers, repairs, remarks = check(notebook, skeleton)
    assert answers["scale"] == helper.rstrip("\n")
    assert (repairs, remarks) == (("Cell 'scale' was split into 2 cells; they were put together.",), ())


def test_an_answer_in_a_cell_of_ones_own_counts(notebook, skeleton):
    """The answer cell is blank, and the student's kernel ran the cell below it."""
    released = next(slot.shown for slot in skeleton.slots if slot.grade_id == "shift")
    cell_of(notebook, "shift")["source"] = released
    notebook["cells"].insert(4, own_cell("def shift(x, by):\n    return 1\n"))
    notebook["cells"].append(own_cell(GOOD["shift"]))
    answers, repairs, _ = check(notebook, skeleton)
    assert answers == GOOD
    assert repairs == ("'shift' stood in a cell of your own and was put into answer cell 'shift'.",)


def test_an_answer_that_lost_its_second_half_to_an_own_cell_gets_it_back(notebook, skeleton):
    cell_of(notebook, "shift")["source"] = "#| export\nONE = 1\n"
    notebook["cells"].append(own_cell(GOOD["shift"].removeprefix("#| export\n")))
    answers, repairs, _ = check(notebook, skeleton)
    assert answers["shift"] == "#| export\nONE = 1\n\n\n" + GOOD["shift"].removeprefix("#| export\n")
    assert repairs == ("'shift' stood in a cell of your own and was put into answer cell 'shift'.",)


MERGED = "The answer of cell 'shift' stood in answer cell 'scale' and was moved back; keep each answer in its own cell."


@pytest.mark.parametrize("parts", [("scale", "shift"), ("shift", "scale")])
@pytest.mark.parametrize("left", ["nothing", "the blank cell"])
def test_an_answer_in_another_answers_cell_is_moved_back(notebook, skeleton, parts, left):
    """JupyterLab's "merge cells" leaves the first one's metadata and both texts."""
    cell_of(notebook, "scale")["source"] = "\n".join(GOOD[name] for name in parts)
    if left == "nothing":
        notebook["cells"].remove(cell_of(notebook, "shift"))
    else:
        cell_of(notebook, "shift")["source"] = next(s.shown for s in skeleton.slots if s.grade_id == "shift")
    answers, repairs, remarks = check(notebook, skeleton)
    assert {name: text.split() for name, text in answers.items()} == {n: t.split() for n, t in GOOD.items()}
    assert (repairs, remarks) == ((MERGED,), ())


def test_what_stands_around_a_merged_answer_stays_where_it_is(notebook, skeleton):
    helper = "HALF = 0.5\n\n\ndef half(x):\n    return x * HALF\n\n\n"
    shift = "@np.vectorize\ndef shift(x, by):\n    return x + by\n"
    cell_of(notebook, "scale")["source"] = GOOD["scale"] + helper + shift
    notebook["cells"].remove(cell_of(notebook, "shift"))
    answers, repairs, _ = check(notebook, skeleton)
    assert answers["scale"].rstrip() == (GOOD["scale"] + helper).rstrip()
    assert answers["shift"] == f"#| export\n{shift}".rstrip()
    assert repairs == (MERGED,)


def test_a_merged_answer_that_is_no_python_is_named(notebook, skeleton):
    cell_of(notebook, "scale")["source"] = GOOD["scale"] + "def shift(x, by)\n    return x + by\n"
    notebook["cells"].remove(cell_of(notebook, "shift"))
    answers, repairs, _ = check(notebook, skeleton)
    assert "your code here" in answers["shift"]
    said = "The answer of cell 'shift' stands in answer cell 'scale', which is no Python yet: put that right first."
    assert repairs == (said,)


def test_a_written_answer_is_kept_whatever_another_cell_defines(notebook, skeleton):
    cell_of(notebook, "scale")["source"] = GOOD["scale"] + "def shift(x, by):\n    return 0\n"
    answers, repairs, _ = check(notebook, skeleton)
    assert answers["shift"] == GOOD["shift"]
    assert repairs == ()


def test_an_own_cell_changes_no_written_answer(notebook, skeleton):
    notebook["cells"].append(own_cell("def shift(x, by):\n    return 1\n"))
    answers, repairs, _ = check(notebook, skeleton)
    assert (answers, repairs) == (GOOD, ())


@pytest.mark.parametrize("line", ["np = 3", "for np in range(3): pass", "def np(): pass"])
def test_an_answer_that_takes_a_given_name_is_told(notebook, skeleton, line):
    cell_of(notebook, "scale")["source"] = f"{GOOD['scale']}\n{line}\n"
    said = "Answer cell 'scale' gives 'np' another meaning, also for the cells below it: choose another name."
    assert check(notebook, skeleton)[1:] == ((), (said,))


@pytest.mark.parametrize("line", ["import numpy as np", "npp = 3", "def half(np): return np"])
def test_an_answer_may_import_again_and_name_its_own(notebook, skeleton, line):
    cell_of(notebook, "scale")["source"] = f"{GOOD['scale']}\n{line}\n"
    assert check(notebook, skeleton)[1:] == ((), ())


def test_lost_metadata_is_said_once(notebook, skeleton):
    lose_all_metadata(notebook)
    said = "All nbgrader metadata was lost; answers were recognised by cell id, name or place."
    assert check(notebook, skeleton)[1:] == ((said,), ())


@pytest.mark.parametrize(
    "first", ["", "\n#| export\n", "#| default_exp core.other\n#| export\n", "#| exprot\n", "# |export\n"]
)
def test_what_is_exported_is_not_the_students_to_decide(notebook, skeleton, first):
    body = GOOD["scale"].removeprefix("#| export\n")
    cell_of(notebook, "scale")["source"] = first + body
    answers, repairs, remarks = check(notebook, skeleton)
    assert answers["scale"].startswith("#| export\n")
    assert answers["scale"].endswith(body)
    assert "default_exp" not in answers["scale"]
    assert repairs == ()
    assert remarks == ("The '#|' lines of cell 'scale' had been changed; they were put back.",)


def test_broken_python_is_found_without_metadata(notebook, skeleton):
    broken = "#| export\ndef shift(x, by)\n    return x"
    cell_of(notebook, "shift")["source"] = broken
    lose_all_metadata(notebook)
    assert check(notebook, skeleton)[0]["shift"] == broken


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "latin-1"])
def test_other_encodings(notebook, skeleton, encoding):
    cell_of(notebook, "q-float32")["source"] = "Größe"
    data = json.dumps(notebook, ensure_ascii=False).encode(encoding)
    answers, repairs, _ = check(data, skeleton)
    assert answers["q-float32"] == "Größe"
    assert bool(repairs) == (encoding != "utf-8-sig")


def test_a_cell_is_the_same_whoever_reads_it(released_once):
    path = released_once.release / "01_tensor/tensor.ipynb"
    tolerant = parse_submission(path.read_bytes()).cells
    assert [replace(cell, id="") for cell in tolerant] == read_cells(path)
    assert [cell.exported for cell in tolerant] == [False, True, True, False, True, False, False, False]


def test_line_ends_of_windows(notebook, skeleton):
    windows = GOOD["scale"].replace("\n", "\r\n")
    cell_of(notebook, "scale")["source"] = windows
    assert check(notebook, skeleton) == (GOOD, (), ())


def test_lone_surrogates_cannot_break_the_writing(notebook, skeleton):
    cell_of(notebook, "q-float32")["source"] = "bad \ud800 text"
    answers, _, _ = check(notebook, skeleton)
    assert answers["q-float32"].encode() == b"bad ? text"


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "the file is empty"),
        (b" \n", "the file is empty"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "not valid JSON"),
        (b"{" * 3, "not valid JSON"),
        (b"[" * 100_000, "not valid JSON"),
        (b"[1, 2]", "not a notebook"),
        (b'{"nbformat": 4}', "no notebook cells"),
        (b'{"nbformat": 4, "cells": []}', "no cells"),
        (b'{"nbformat": 4, "cells": ["a", 1]}', "no cells"),
    ],
)
def test_unreadable(data, says):
    with pytest.raises(Unreadable, match=says):
        parse_submission(data)


def test_a_large_file_is_refused_without_reading_it(tmp_path, monkeypatch):
    path = tmp_path / "big.ipynb"
    with path.open("wb") as file:
        file.truncate(100 * 1000 * 1000)
    monkeypatch.setattr(os, "fdopen", lambda *_: pytest.fail("the file was read"))
    with pytest.raises(Unreadable, match=r"100\.0 MB; the limit is 5\.2 MB; clear its outputs"):
        read_bytes(path)
    assert MAX_BYTES == 5 * 1024 * 1024


def test_links_and_folders_are_refused(tmp_path):
    (tmp_path / "secret").write_text("{}")
    (tmp_path / "link.ipynb").symlink_to(tmp_path / "secret")
    with pytest.raises(Unreadable, match="symbolic link"):
        read_bytes(tmp_path / "link.ipynb")
    with pytest.raises(Unreadable, match=r"regular file|cannot be opened"):
        read_bytes(tmp_path)
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.ipynb")
        with pytest.raises(Unreadable, match="regular file"):
            read_bytes(tmp_path / "pipe.ipynb")


@given(
    st.lists(
        st.sampled_from(["", "x = 1", "#| export", "  #| export", "#| default_exp core.other", "# note", "%%time"])
    )
)
def test_an_answer_keeps_its_lines_and_gets_the_released_directives(lines):
    shown = "#| export\ndef scale(x): ..."
    text, changed = with_directives("\n".join(lines), shown, "code")
    assert Cell("code", text, {}, 0).directives == [("export", "")]
    assert [line for line in text.split("\n")[1:] if line] == [line for line in lines if line and "#|" not in line]
    assert changed == (lines[:1] != ["#| export"] or any("#|" in line for line in lines[1:]))
    assert with_directives(text, shown, "code") == (text, False)
