"""`tito grade --shards K/N` and `tito merge`: together they leave what one `tito grade` leaves."""

import gzip
import json

import pytest
from interruptions import copy, differences, everything, prepared, run
from mini import GOOD, TENSOR_MODULE, FastRunner, answered, hand_in

from tito.errors import CourseError
from tito.grading import grade
from tito.grading.report import grade_rows
from tito.grading.shards import Merged, Shard, grade_shard, merge, parse_shard, write_shard

CLASS, COUNT = 7, 3


@pytest.fixture(scope="module")
def handed_in(released_once, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(grade, "TrustedRunner", FastRunner)
        yield prepared("grade", released_once, tmp_path_factory.mktemp("class"), CLASS)


@pytest.fixture
def ready(handed_in, tmp_path):
    return copy(handed_in, tmp_path / "copy")


def shards(course):
    """Grade all shards, and return their files."""
    for number in range(1, COUNT + 1):
        list(grade_shard(course, TENSOR_MODULE, Shard(number, COUNT)))
    return [write_shard(course, Shard(number, COUNT)) for number in range(1, COUNT + 1)]


def students(path):
    with gzip.open(path, "rt") as lines:
        return [json.loads(line)["student"] for line in list(lines)[1:]]


def test_as_one_run(ready, tmp_path):
    whole = copy(ready, tmp_path / "whole")
    assert run(whole, ("grade", "01")).code == 0
    texts = [run(ready, ("grade", "01", "--shards", f"{k}/{COUNT}")) for k in range(1, COUNT + 1)]
    assert [done.code for done in texts] == [0] * COUNT, texts
    assert "wrote .tito/shards/002-of-003.jsonl.gz" in texts[1].text
    assert run(ready, ("merge",)).text.startswith(f"{CLASS} taken, 0 known already, 0 of other work")
    left = {name for name in differences(everything(ready), everything(whole)) if not name.startswith(".tito/shards/")}
    assert left == set()
    assert run(ready, ("merge",)).text.startswith(f"0 taken, {CLASS} known already, 0 of other work")


def test_everyone_is_in_one_shard_and_the_files_are_the_same_again(ready):
    first = [(path, path.read_bytes(), students(path)) for path in shards(ready)]
    assert sorted(name for _, _, names in first for name in names) == [f"s{number:02d}" for number in range(CLASS)]
    runs = (ready.state / "shards" / "001-of-003" / "runs.log").read_text()
    assert [path.read_bytes() for path in shards(ready)] == [data for _, data, _ in first]
    assert (ready.state / "shards" / "001-of-003" / "runs.log").read_text() == runs  # resumed, not repeated


def test_any_order_and_any_part(ready):
    paths = shards(ready)
    sizes = [len(students(path)) for path in paths]
    assert merge(ready, paths[2:]) == Merged(taken=sizes[2])
    assert merge(ready, [paths[1], paths[2], paths[0]]) == Merged(taken=sizes[0] + sizes[1], known=sizes[2])


def test_what_is_of_other_work_or_other_tests_is_left_out(ready):
    paths = shards(ready)
    hand_in(ready, "s01", answered(ready, GOOD))
    assert merge(ready, paths) == Merged(taken=CLASS - 1, outdated=1)
    source = ready.built(TENSOR_MODULE)
    source.write_text(source.read_text().replace("shift forgets some entries", "shift forgets an entry"))
    assert merge(ready, paths) == Merged(outdated=CLASS)


@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_a_part_of_a_file(share, ready):
    paths = shards(ready)
    whole = max(paths, key=lambda path: path.stat().st_size)
    whole.write_bytes(whole.read_bytes()[: int(share * whole.stat().st_size)])
    with pytest.raises(CourseError, match=r"-of-003\.jsonl\.gz is damaged: .* Grade that shard again"):
        merge(ready, [whole])
    merge(ready, shards(ready))
    assert [row.status for row in grade_rows(ready, [TENSOR_MODULE])] == ["graded"] * CLASS


@pytest.mark.parametrize("text", ["0/3", "4/3", "1", "1/0", "-1/3", "a/b"])
def test_no_shard(text):
    with pytest.raises(CourseError, match=f"'{text}' is no shard. Write K/N"):
        parse_shard(text)


def test_one_student_is_no_part_of_a_class(ready):
    refused = run(ready, ("grade", "01", "--student", "s01", "--shards", "1/3"))
    assert refused.code == 2
    assert refused.text.splitlines() == [
        "Problem: --student and --shards do not go together.",
        "Next: Leave out one of them.",
    ]
    assert not (ready.state / "shards").exists()
