"""`tito grade --dask`: on a real cluster of two processes, one of which is killed in the middle."""

import os
import signal
import subprocess
import sys
import time

import pytest
from interruptions import run
from mini import GOOD, TENSOR_MODULE, answered, hand_in, sandboxed

from tito.errors import CourseError
from tito.grading.grade import grade_module
from tito.grading.journal import read_journal
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


def test_a_worker_killed_with_results_that_nobody_has_fetched(scheduler, ready):
    from tito.grading.cluster import AHEAD, cluster

    done = []
    with distributed.Client(scheduler, set_as_default=False) as client, cluster(scheduler) as engine:
        for entry in grade_module(ready, TENSOR_MODULE, engine=engine):
            done.append(entry.student)
            if len(done) == 1:
                there = results_of(client, AHEAD * 2 - 1)
                os.kill(client.run(os.getpid)[max(there, key=there.get)], signal.SIGKILL)
    assert sorted(done) == [f"s{number}" for number in range(CLASS)]


def results_of(client, count):
    """How many submissions lie graded on each worker, once it is `count` of them."""
    end = time.monotonic() + 300
    while time.monotonic() < end:
        there = {who: sum("grade_there" in str(key) for key in keys) for who, keys in client.has_what().items()}
        if sum(there.values()) >= count:
            return there
        time.sleep(0.1)
    raise TimeoutError(there)


CLUSTER = """
import sys
import distributed

if __name__ == "__main__":
    cluster = distributed.LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None)
    print(cluster.scheduler_address, flush=True)
    sys.stdin.read()
"""


def test_the_whole_cluster_killed_in_the_middle(ready, tmp_path):
    from tito.grading.cluster import cluster

    script = tmp_path / "cluster.py"
    script.write_text(CLUSTER)
    run = [sys.executable, str(script)]
    there = subprocess.Popen(run, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True)
    done = []
    try:
        with (
            pytest.raises(CourseError, match=r"cluster has gone\..*what is done stays done"),
            cluster(there.stdout.readline().strip()) as engine,
        ):
            for entry in grade_module(ready, TENSOR_MODULE, engine=engine):
                done.append(entry.student)
                if len(done) == 1:
                    os.killpg(there.pid, signal.SIGKILL)
    finally:
        os.killpg(there.pid, signal.SIGKILL)
        there.communicate()
    assert 1 <= len(done) < CLASS
    known = {entry.student for entry in read_journal(ready.state)}
    assert known == set(done)
    assert len(list(grade_module(ready, TENSOR_MODULE))) == CLASS
    assert report(ready).count("graded,10,10,5") == 2


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
