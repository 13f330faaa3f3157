"""Checkpoints: whole at every moment, exact to the last bit, and refused when they are damaged or somebody else's."""

import os
import pickle
import random
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest

import tinytorch  # noqa: F401 - switches recording on
from tinytorch.core import training
from tinytorch.core.activations import relu
from tinytorch.core.layers import Dropout, Linear, Module
from tinytorch.core.losses import cross_entropy
from tinytorch.core.optimizers import SGD, Adam, AdamW, RMSprop
from tinytorch.core.tensor import generator, manual_seed
from tinytorch.core.training import (
    CheckpointError,
    CosineAnnealingLR,
    LinearLR,
    SequentialLR,
    StepLR,
    Trainer,
    load_checkpoint,
    save_checkpoint,
)
from tito.lab import load_digits

EPOCHS, BATCHES = 3, 10  # of every run here
OPTIMIZERS = {
    "momentum": lambda params: SGD(params, lr=0.1, momentum=0.9, nesterov=True),
    "rmsprop": lambda params: RMSprop(params, weight_decay=0.01),
    "adam": lambda params: Adam(params, lr=0.01),
    "adamw": lambda params: AdamW(params, lr=0.01),
}


class Network(Module):
    """64 pixels, hidden units, dropout, 10 classes; counts its training batches in a buffer."""

    def __init__(self, width: int = 16):
        self.hidden = Linear(64, width)
        self.dropout = Dropout(0.2)
        self.output = Linear(width, 10)
        self.register_buffer("seen", np.zeros(1))

    def forward(self, x):
        if self.training:
            self.seen += 1
        return self.output(self.dropout(relu(self.hidden(x))))


class PowerCut(Exception):
    """The lights go out."""


class Shuffled:
    """Batches of digits in a new random order each epoch, with noise; the power fails after `lifetime` of them."""

    def __init__(self, lifetime: float = float("inf")):
        self.lifetime = lifetime
        self.pixels, self.labels = load_digits()

    def __iter__(self):
        for i in generator().permutation(BATCHES):
            self.lifetime -= 1
            if self.lifetime < 0:
                raise PowerCut
            x = self.pixels[i * 20 : i * 20 + 20]
            noise = generator().normal(0, 0.1, size=x.shape).astype(np.float32)
            yield x + noise, self.labels[i * 20 : i * 20 + 20]


class KeepsItsPlace:
    """A loader with a generator of its own that can save its place, as module 08's can."""

    def __init__(self, lifetime: float = float("inf")):
        self.random, self.lifetime = np.random.default_rng(5), lifetime
        self.order, self.done = [], 0
        self.pixels, self.labels = load_digits()

    def __iter__(self):
        if self.done == len(self.order):
            self.order, self.done = self.random.permutation(BATCHES).tolist(), 0
        while self.done < len(self.order):
            self.lifetime -= 1
            if self.lifetime < 0:
                raise PowerCut
            i = self.order[self.done]
            self.done += 1
            yield self.pixels[i * 20 : i * 20 + 20], self.labels[i * 20 : i * 20 + 20]

    def state_dict(self):
        return {"random": self.random.bit_generator.state, "order": self.order, "done": self.done}

    def load_state_dict(self, state):
        self.random.bit_generator.state = state["random"]
        self.order, self.done = list(state["order"]), state["done"]


def new_trainer(seed: int = 0, kind: str = "adamw", width: int = 16, **options) -> Trainer:
    manual_seed(seed)
    model = Network(width)
    optimizer = OPTIMIZERS[kind](model.parameters())
    steps = EPOCHS * BATCHES
    parts = [LinearLR(optimizer, 0.1, total_iters=5), CosineAnnealingLR(optimizer, steps - 5)]
    scheduler = SequentialLR(optimizer, parts, [5])
    return Trainer(model, optimizer, cross_entropy, scheduler=scheduler, max_norm=1.0, **options)


def validation() -> list[tuple[np.ndarray, np.ndarray]]:
    pixels, labels = load_digits()
    return [(pixels[1000:1100], labels[1000:1100])]


class TestResume:
    @pytest.mark.parametrize("kind", OPTIMIZERS)
    @pytest.mark.parametrize("cut", [4, 10, 29])
    @pytest.mark.parametrize("batches", [Shuffled, KeepsItsPlace])
    def test_a_resumed_run_ends_in_the_same_bytes(self, kind, cut, batches, tmp_path):
        whole = new_trainer(kind=kind, patience=5)
        whole.train(batches(), EPOCHS, validation(), checkpoint=tmp_path / "whole.npz")
        trainer = new_trainer(kind=kind, patience=5)
        with pytest.raises(PowerCut):
            trainer.train(batches(lifetime=cut), EPOCHS, validation(), checkpoint=tmp_path / "cut.npz", every=3)
        resumed = new_trainer(seed=99, kind=kind, patience=5)
        resumed.resume(tmp_path / "cut.npz")
        resumed.train(batches(), EPOCHS, validation(), checkpoint=tmp_path / "cut.npz")
        assert (tmp_path / "cut.npz").read_bytes() == (tmp_path / "whole.npz").read_bytes()

    @pytest.mark.parametrize("batches", [Shuffled, KeepsItsPlace])
    def test_the_same_trainer_goes_on_after_an_interruption(self, batches):
        whole = new_trainer()
        whole.train(batches(), EPOCHS)
        trainer, source = new_trainer(), batches(lifetime=13)
        with pytest.raises(PowerCut):
            trainer.train(source, EPOCHS)
        source.lifetime = float("inf")
        trainer.train(source, EPOCHS)
        assert trainer.history.loss == whole.history.loss

    def test_after_the_last_epoch_nothing_is_left_to_do(self, tmp_path):
        trainer = new_trainer()
        trainer.train(Shuffled(), EPOCHS, checkpoint=tmp_path / "run.npz")
        again = new_trainer(seed=1)
        again.resume(tmp_path / "run.npz")
        history = again.train(Shuffled(), EPOCHS)
        assert history.loss == trainer.history.loss
        assert history.epochs == trainer.history.epochs
        for name, array in trainer.model.state_dict().items():
            np.testing.assert_array_equal(again.model.state_dict()[name], array)


RUN = """
import sys
sys.path.insert(0, {folder!r})
import test_checkpoints as t
trainer = t.new_trainer(patience=5)
if {resume!r}:
    trainer.resume({path!r})
print("ready", flush=True)
trainer.train(t.Shuffled(), t.EPOCHS, t.validation(), checkpoint={path!r}, every=1)
"""
SAVE = """
import sys
import numpy as np
from tinytorch.core.training import save_checkpoint
save_checkpoint({path!r}, {{"w": np.full(300_000, 0.0)}}, {{"count": 0}})
print("ready", flush=True)
count = 0
while True:
    count += 1
    save_checkpoint({path!r}, {{"w": np.full(300_000, float(count))}}, {{"count": count}})
"""


def start(code: str) -> subprocess.Popen:
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert process.stdout.readline() == "ready\n"
    return process


def kill(process: subprocess.Popen) -> None:
    process.send_signal(signal.SIGKILL if hasattr(signal, "SIGKILL") else signal.SIGTERM)
    process.communicate()


class TestKill:
    def test_a_kill_while_writing_leaves_a_whole_checkpoint(self, tmp_path):
        path, dice = str(tmp_path / "run.npz"), random.Random(0)
        caught = 0
        for _ in range(8):
            process = start(SAVE.format(path=path))
            time.sleep(dice.uniform(0.05, 0.15))
            kill(process)
            arrays, metadata = load_checkpoint(path)
            np.testing.assert_array_equal(arrays["w"], np.full(300_000, float(metadata["count"])))
            caught += os.path.exists(f"{path}.tmp")
        assert caught, "no kill came in the middle of a write: the test did not test anything"

    def test_a_killed_run_resumes_to_the_last_bit(self, tmp_path):
        whole = new_trainer(patience=5)
        whole.train(Shuffled(), EPOCHS, validation(), checkpoint=tmp_path / "whole.npz")
        path, folder = str(tmp_path / "run.npz"), str(Path(__file__).parent)
        for resume in (False, True, True):
            process = start(RUN.format(folder=folder, path=path, resume=resume))
            while not os.path.exists(path):
                time.sleep(0.002)
            time.sleep(0.01)
            kill(process)
        last = subprocess.run(
            [sys.executable, "-c", RUN.format(folder=folder, path=path, resume=True)],
            env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
            stdout=subprocess.DEVNULL,
        )
        assert last.returncode == 0
        assert Path(path).read_bytes() == (tmp_path / "whole.npz").read_bytes()


@pytest.fixture(scope="module")
def saved(tmp_path_factory) -> Path:
    """The checkpoint of a run that is in the middle of its second epoch."""
    path = tmp_path_factory.mktemp("saved") / "run.npz"
    with pytest.raises(PowerCut):
        new_trainer(patience=5).train(Shuffled(lifetime=14), EPOCHS, validation(), checkpoint=path, every=7)
    return path


def everything(trainer: Trainer) -> dict:
    """All that a Trainer knows, in comparable form."""
    optimizer = trainer.optimizer.state_dict()
    return {
        "model": {name: array.tobytes() for name, array in trainer.model.state_dict().items()},
        "groups": optimizer["param_groups"],
        "state": {
            place: {name: np.asarray(v).tobytes() for name, v in kept.items()}
            for place, kept in optimizer["state"].items()
        },
        "rate": trainer.scheduler and trainer.scheduler.state_dict(),
        "place": (trainer.epoch, trainer.batch, trainer.loader_state, trainer.random_at_epoch),
        "history": (list(trainer.history.loss), list(trainer.history.epochs)),
        "luck": generator().bit_generator.state,
    }


def refused(trainer: Trainer, path: Path, words: str) -> None:
    before = everything(trainer)
    with pytest.raises(CheckpointError, match=words):
        trainer.resume(path)
    assert everything(trainer) == before


class TestRefusals:
    @pytest.mark.parametrize("share", [0, 0.01, 0.3, 0.7, 0.99, 0.9999])
    def test_a_file_cut_short(self, saved, tmp_path, share):
        data = saved.read_bytes()
        (tmp_path / "cut.npz").write_bytes(data[: int(len(data) * share)])
        refused(new_trainer(seed=1, patience=5), tmp_path / "cut.npz", "no whole checkpoint")

    def test_a_changed_byte_is_found_or_means_nothing(self, saved, tmp_path):
        data, dice = saved.read_bytes(), random.Random(0)
        whole = load_checkpoint(saved)
        places = {*range(100), *range(len(data) - 500, len(data)), *(dice.randrange(len(data)) for _ in range(200))}
        found = 0
        for place in sorted(places):
            damaged = bytearray(data)
            damaged[place] ^= 1 << dice.randrange(8)
            (tmp_path / "damaged.npz").write_bytes(damaged)
            try:
                arrays, metadata = load_checkpoint(tmp_path / "damaged.npz")
            except CheckpointError:
                found += 1
                continue
            assert metadata == whole[1]  # the byte was a date or a flag of the archive: no number depends on it
            assert arrays.keys() == whole[0].keys()
            assert all(array.tobytes() == whole[0][name].tobytes() for name, array in arrays.items())
        assert found > len(places) / 2

    @pytest.mark.parametrize("content", [b"", b"hello", pickle.dumps({"model": 1}), b"PK\x03\x04" + bytes(100)])
    def test_other_files(self, tmp_path, content):
        (tmp_path / "other").write_bytes(content)
        refused(new_trainer(), tmp_path / "other", "no whole checkpoint")

    def test_a_missing_file_is_just_that(self, tmp_path):
        with pytest.raises(FileNotFoundError):
            new_trainer().resume(tmp_path / "none.npz")

    def test_a_pickle_in_an_archive_is_never_run(self, tmp_path):
        path, proof = tmp_path / "evil.npz", tmp_path / "proof"

        class Evil:
            def __reduce__(self):
                return Path.touch, (proof,)

        np.savez(path, metadata=np.array("{}"), w=np.array([Evil()], dtype=object))
        refused(new_trainer(), path, "no whole checkpoint")
        assert not proof.exists()

    def test_arrays_that_are_no_checkpoint(self, tmp_path):
        save_checkpoint(tmp_path / "other.npz", {"w": np.ones(3)}, {"epoch": 1})
        refused(new_trainer(), tmp_path / "other.npz", "its format is None")

    @pytest.mark.parametrize(
        "make, words",
        [
            (lambda: new_trainer(width=8, patience=5), r"hidden\.bias has shape \(16,\) there and \(8,\) here"),
            (lambda: new_trainer(kind="momentum", patience=5), "the optimizer is AdamW there and SGD here"),
            (lambda: new_trainer(kind="adam", patience=5), "the optimizer is AdamW there and Adam here"),
            (lambda: new_trainer(), "the early stopping is EarlyStopping there and NoneType here"),
        ],
    )
    def test_a_checkpoint_of_something_else(self, saved, make, words):
        refused(make(), saved, words)

    def test_another_schedule(self, saved):
        trainer = new_trainer(patience=5)
        trainer.scheduler = StepLR(trainer.optimizer, 3)
        refused(trainer, saved, "the scheduler is SequentialLR there and StepLR here")

    def test_another_number_of_groups(self, saved):
        trainer = new_trainer(patience=5)
        params = trainer.model.parameters()
        trainer.optimizer = AdamW([{"params": params[:2]}, {"params": params[2:]}])
        refused(trainer, saved, "1 groups instead of 2")

    def test_a_failed_save_leaves_the_older_file(self, saved, tmp_path, monkeypatch):
        path = tmp_path / "run.npz"
        save_checkpoint(path, {"w": np.ones(3)}, {"epoch": 1})
        before = path.read_bytes()

        def full_disk(file, arrays):
            file.write(b"PK" * 1000)
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(training, "write_arrays", full_disk)
        with pytest.raises(OSError, match="No space left"):
            save_checkpoint(path, {"w": np.zeros(3)}, {"epoch": 2})
        assert path.read_bytes() == before
        assert os.listdir(tmp_path) == ["run.npz"]

    def test_it_is_a_plain_archive(self, saved):
        with zipfile.ZipFile(saved) as archive:
            assert all(name.endswith(".npy") for name in archive.namelist())
        with np.load(saved, allow_pickle=False) as archive:
            assert all(not archive[name].dtype.hasobject for name in archive.files)
