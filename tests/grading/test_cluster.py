"""`tito grade --dask`: on a real cluster of two processes, one of which is killed in the middle."""

import os
import signal

import pytest
from interruptions import run
from mini import GOOD, TENSOR_MODULE, answered, hand_in, sandboxed

from tito.errors import CourseError
from tito.grading.grade import grade_module
from tito.grading.report import csv_text, grade_rows

distributed = pytest.importorskip("distributed", reason="Dask is not installed: pip install -r requirements/scale.txt")

pytestmark = [sandboxed, pytest.mark.timeout(600)]  # workers load everything anew

CLASS = 6


@pytest.fixture(scope="module")
def scheduler():
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        yield cluster.scheduler_address


@pytest.fixture
def ready(course):
    answers = (GOOD, {"scale": GOOD["scale"]}, GOOD | {"shift": "import os\nos._exit(1)"})
    for number in range(CLASS):
        hand_in(course, f"s{number}", answered(course, answers[number % 3] | {"q-float32": f"Student {number}."}))
    return course


def report(course):
    return csv_text(grade_rows(course, [TENSOR_MODULE]))


def test_a_worker_killed_in_the_middle(scheduler, ready):
    from tito.grading.cluster import cluster

    with distributed.Client(scheduler, set_as_default=False) as client:
        pids = list(client.run(os.getpid).values())
    assert len(pids) == 2
    done = []
    with cluster(scheduler) as engine:
        for entry in grade_module(ready, TENSOR_MODULE, engine=engine):
            done.append(entry.student)
            if len(done) == 1:
                os.kill(pids[0], signal.SIGKILL)
    assert sorted(done) == [f"s{number}" for number in range(CLASS)]  # nobody lost, nobody twice
    there = report(ready)
    (ready.state / "journal.db").unlink()
    list(grade_module(ready, TENSOR_MODULE))
    assert report(ready) == there
    assert there.count("graded,10,10,5") == 2
    assert there.count("crashed,4,10,5") == 2


def test_as_a_shell_runs_it(scheduler, ready):
    done = run(ready, ("grade", "01", "--dask", scheduler), fresh=True)
    assert done.code == 0, done.text
    lines = done.text.splitlines()
    assert [line.split()[1] for line in lines if line.startswith("01_tensor  ")] == [f"s{n}" for n in range(CLASS)]
    assert lines[-1] == "Next: tito report, tito feedback"
    there = report(ready)
    (ready.state / "journal.db").unlink()
    list(grade_module(ready, TENSOR_MODULE))
    assert report(ready) == there


def test_no_scheduler(monkeypatch):
    from tito.grading import cluster

    monkeypatch.setattr(cluster, "REACH", 0.5)
    with (
        pytest.raises(CourseError, match=r"There is no Dask scheduler at tcp://127\.0\.0\.1:9\."),
        cluster.cluster("tcp://127.0.0.1:9"),
    ):
        pass
