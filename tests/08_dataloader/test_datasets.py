"""Readers and downloads of module 08: small files of the real formats, from a loopback server. No other network."""

import gzip
import hashlib
import io
import tarfile
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tinytorch.data import loader as L
from tinytorch.data.loader import CIFAR10, MNIST, DataLoader, Digits, ImageDataset, download, parse_idx, read_idx

RNG = np.random.default_rng(0)
CODES = {np.dtype(text).newbyteorder("="): code for code, text in L.IDX_TYPES.items()}


SHAPES = hnp.array_shapes(max_dims=4, min_side=0, max_side=4)
ARRAYS = st.sampled_from(sorted(CODES, key=str)).flatmap(lambda dtype: hnp.arrays(dtype, SHAPES))


def idx(array):
    """The IDX file of an array, as bytes."""
    header = bytes([0, 0, CODES[array.dtype], array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape)
    return header + array.astype(array.dtype.newbyteorder(">")).tobytes()


def content_of(data):
    return np.frombuffer(data, dtype=np.uint8)


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def mnist_files(count=5, labels=None):
    images = RNG.integers(0, 256, size=(count, 28, 28), dtype=np.uint8)
    labels = np.arange(count, dtype=np.uint8) % 10 if labels is None else np.asarray(labels, dtype=np.uint8)
    return images, labels


def put_mnist(root, images, labels, part="train"):
    folder = root / "mnist"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{part}-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(images)))
    (folder / f"{part}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx(labels)))
    return folder


def cifar_archive(names, images=2, prefix="cifar-10-batches-bin/"):
    """A tar.gz of CIFAR-10 batches, and the records in it by name."""
    records = {name: RNG.integers(0, 256, size=(images, 3073), dtype=np.uint8) for name in names}
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, rows in records.items():
            rows[:, 0] %= 10
            info = tarfile.TarInfo(prefix + name)
            info.size = rows.nbytes
            archive.addfile(info, io.BytesIO(rows.tobytes()))
    return buffer.getvalue(), records


TRAIN = [f"data_batch_{i}.bin" for i in (3, 1, 5, 2, 4)]  # out of order, as archives may be


def put_cifar(root, data):
    path = root / "cifar10" / "cifar-10-binary.tar.gz"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


@dataclass
class Mirror:
    """What the loopback server does: its files, and how it misbehaves."""

    files: dict[str, bytes] = field(default_factory=dict)
    cut_after: int = 0  # bytes after which a response breaks off
    cuts: int = 0  # how many responses do
    errors: list[int] = field(default_factory=list)  # status codes of the first responses
    ranges: bool = True
    asked: list[str | None] = field(default_factory=list)  # the Range header of each request
    url: str = ""


@pytest.fixture
def mirror(monkeypatch):
    monkeypatch.setenv("no_proxy", "*")
    state = Mirror()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            wanted = self.headers.get("Range")
            state.asked.append(wanted)
            if state.errors:
                self.send_error(state.errors.pop(0))
                return
            data = state.files.get(self.path.lstrip("/"))
            if data is None:
                self.send_error(404)
                return
            start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted and state.ranges else 0
            if start and start >= len(data):
                self.send_error(416)
                return
            self.send_response(206 if start else 200)
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
            self.send_header("Content-Length", str(len(data) - start))
            self.end_headers()
            body = data[start:]
            if state.cuts:
                state.cuts -= 1
                body = body[: state.cut_after]
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        state.url = f"http://127.0.0.1:{server.server_port}/"
        yield state
        server.shutdown()
        thread.join()


def quiet(*_):
    """Report no progress."""


class TestDownload:
    DATA = RNG.bytes(10_000)

    def test_a_whole_file(self, mirror, tmp_path):
        mirror.files["a.bin"] = self.DATA
        seen = []
        path = download("a.bin", sha256(self.DATA), tmp_path / "new", [mirror.url], lambda *now: seen.append(now))
        assert path.read_bytes() == self.DATA
        assert seen[-1] == ("a.bin", 10_000, 10_000)
        assert [p.name for p in path.parent.iterdir()] == ["a.bin"]

    def test_a_file_that_is_there_is_not_fetched_again(self, mirror, tmp_path):
        (tmp_path / "a.bin").write_bytes(b"mine")
        assert download("a.bin", sha256(self.DATA), tmp_path, [mirror.url]).read_bytes() == b"mine"
        assert mirror.asked == []

    def test_a_broken_connection_is_continued(self, mirror, tmp_path):
        mirror.files["a.bin"], mirror.cuts, mirror.cut_after = self.DATA, 2, 3000
        path = download("a.bin", sha256(self.DATA), tmp_path, [mirror.url], quiet)
        assert path.read_bytes() == self.DATA
        assert mirror.asked == [None, "bytes=3000-", "bytes=6000-"]

    def test_what_an_earlier_run_left_is_continued(self, mirror, tmp_path):
        mirror.files["a.bin"] = self.DATA
        (tmp_path / "a.bin.part").write_bytes(self.DATA[:7000])
        path = download("a.bin", sha256(self.DATA), tmp_path, [mirror.url], quiet)
        assert path.read_bytes() == self.DATA
        assert mirror.asked == ["bytes=7000-"]
        assert not (tmp_path / "a.bin.part").exists()

    def test_a_server_without_ranges_sends_the_whole_file_again(self, mirror, tmp_path):
        mirror.files["a.bin"], mirror.ranges = self.DATA, False
        (tmp_path / "a.bin.part").write_bytes(self.DATA[:7000])
        assert download("a.bin", sha256(self.DATA), tmp_path, [mirror.url], quiet).read_bytes() == self.DATA

    @pytest.mark.parametrize("left", [b"x" * 5000, RNG.bytes(10_000), RNG.bytes(12_000), DATA])
    def test_a_wrong_or_complete_beginning_is_thrown_away(self, mirror, tmp_path, left):
        mirror.files["a.bin"] = self.DATA
        (tmp_path / "a.bin.part").write_bytes(left)
        assert download("a.bin", sha256(self.DATA), tmp_path, [mirror.url], quiet).read_bytes() == self.DATA

    def test_a_corrupted_file_never_gets_its_name(self, mirror, tmp_path):
        mirror.files["a.bin"] = self.DATA[:-1] + b"?"
        with pytest.raises(OSError, match=r"a.bin could not be downloaded .*SHA-256 .*yourself"):
            download("a.bin", sha256(self.DATA), tmp_path, [mirror.url], quiet)
        assert list(tmp_path.iterdir()) == []
        assert len(mirror.asked) == 1

    def test_a_connection_that_keeps_breaking_gives_up_and_keeps_the_part(self, mirror, tmp_path):
        mirror.files["a.bin"], mirror.cuts, mirror.cut_after = self.DATA, 99, 1000
        with pytest.raises(OSError, match="ended after 3000 of 10000 bytes"):
            download("a.bin", sha256(self.DATA), tmp_path, [mirror.url], quiet)
        assert (tmp_path / "a.bin.part").read_bytes() == self.DATA[:3000]
        mirror.cuts = 0
        assert download("a.bin", sha256(self.DATA), tmp_path, [mirror.url], quiet).read_bytes() == self.DATA

    def test_the_next_mirror_is_tried(self, mirror, tmp_path):
        mirror.files["good/a.bin"] = self.DATA
        mirror.files["bad/a.bin"] = b"something else"
        mirrors = [mirror.url + "none/", mirror.url + "bad/", mirror.url + "good/"]
        assert download("a.bin", sha256(self.DATA), tmp_path, mirrors, quiet).read_bytes() == self.DATA
        assert len(mirror.asked) == 3

    def test_a_busy_server_is_asked_again(self, mirror, tmp_path):
        mirror.files["a.bin"], mirror.errors = self.DATA, [503, 500]
        assert download("a.bin", sha256(self.DATA), tmp_path, [mirror.url], quiet).read_bytes() == self.DATA

    def test_nobody_answers(self, tmp_path):
        with pytest.raises(OSError, match=r"127\.0\.0\.1:9.*put it into"):
            download("a.bin", "0" * 64, tmp_path, ["http://127.0.0.1:9/"], quiet)
        assert list(tmp_path.iterdir()) == []

    def test_progress_is_one_line(self, capsys):
        L.print_progress("a.bin", 500_000, 2_000_000)
        L.print_progress("a.bin", 2_000_000, 2_000_000)
        assert capsys.readouterr().out == "\ra.bin: 0.5 of 2.0 MB\ra.bin: 2.0 of 2.0 MB\n"


class TestIdx:
    @given(ARRAYS)
    def test_what_is_written_is_read(self, array):
        got = parse_idx(content_of(idx(array)))
        assert got.dtype == array.dtype
        assert got.dtype.isnative
        np.testing.assert_array_equal(got, array)

    @given(st.data())
    def test_a_cut_or_lengthened_file_is_refused(self, data):
        whole = idx(np.arange(12, dtype=np.int32).reshape(3, 4))
        cut = data.draw(st.integers(0, len(whole) - 1))
        for broken in (whole[:cut], whole + whole[: cut + 1]):
            with pytest.raises(ValueError, match=r"bytes|begins"):
                parse_idx(content_of(broken))

    def test_a_header_that_promises_too_much_makes_no_array(self):
        with pytest.raises(ValueError, match="needs 79228162458924105385300197391"):
            parse_idx(content_of(bytes([0, 0, 8, 3]) + b"\xff" * 12 + b"123"))

    def test_packed_and_plain_files(self, tmp_path):
        array = np.arange(6, dtype=np.uint8).reshape(2, 3)
        for name, data in (("plain", idx(array)), ("packed.gz", gzip.compress(idx(array)))):
            (tmp_path / name).write_bytes(data)
            np.testing.assert_array_equal(read_idx(tmp_path / name), array)

    @pytest.mark.parametrize(
        "damage",
        [lambda d: d[:-9], lambda d: d[:20] + b"???" + d[23:], lambda d: b"<html>", lambda d: b"", lambda d: d[:5]],
    )
    def test_a_damaged_file_is_named(self, tmp_path, damage):
        path = tmp_path / "train-images-idx3-ubyte.gz"
        path.write_bytes(damage(gzip.compress(idx(RNG.integers(0, 256, size=(4, 28, 28), dtype=np.uint8)))))
        with pytest.raises(ValueError, match=r"train-images.* is damaged \(.*delete it"):
            read_idx(path)


class TestMNIST:
    def test_images_and_labels(self, tmp_path):
        images, labels = mnist_files(7)
        put_mnist(tmp_path, images, labels)
        dataset = MNIST(tmp_path)
        assert len(dataset) == 7
        x, y = dataset.gather([6, 0])
        assert x.shape == (2, 1, 28, 28)
        np.testing.assert_allclose(x.data[:, 0], images[[6, 0]] / 255, rtol=1e-6)
        assert y.tolist() == [6, 0]
        pixels, label = dataset[3]
        np.testing.assert_allclose(pixels.data[0], images[3] / 255, rtol=1e-6)
        assert int(label) == 3
        assert dataset.arrays[0].dtype == np.uint8

    def test_train_and_test_files(self, tmp_path):
        put_mnist(tmp_path, *mnist_files(4))
        put_mnist(tmp_path, *mnist_files(2), part="t10k")
        assert [len(MNIST(tmp_path, train=train)) for train in (True, False)] == [4, 2]

    def test_unpacked_files_will_do(self, tmp_path):
        images, labels = mnist_files(3)
        folder = put_mnist(tmp_path, images, labels)
        for path in list(folder.iterdir()):
            (folder / path.stem).write_bytes(gzip.decompress(path.read_bytes()))
            path.unlink()
        assert len(MNIST(tmp_path)) == 3

    def test_missing_files_say_what_to_do(self, tmp_path):
        with pytest.raises(FileNotFoundError, match=r"train-images-idx3-ubyte.gz is missing: pass download=True"):
            MNIST(tmp_path)
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize(
        "images, labels, error, words",
        [
            (4, [1, 2, 3], ValueError, r"\(4, 1, 28, 28\).*\(3,\)"),
            (2, [1, 10], ValueError, "sample 1 has the label 10: there are classes 0 to 9"),
        ],
    )
    def test_labels_that_do_not_match(self, tmp_path, images, labels, error, words):
        put_mnist(tmp_path, *mnist_files(images, labels))
        with pytest.raises(error, match=words):
            MNIST(tmp_path)

    def test_the_folder_comes_from_the_environment(self, tmp_path, monkeypatch):
        put_mnist(tmp_path, *mnist_files(3))
        monkeypatch.setenv("TINYTORCH_DATA", str(tmp_path))
        assert len(MNIST()) == 3

    def test_download_and_read(self, mirror, tmp_path, monkeypatch, capsys):
        images, labels = mnist_files(6)
        packed = {
            "train-images-idx3-ubyte.gz": gzip.compress(idx(images)),
            "train-labels-idx1-ubyte.gz": gzip.compress(idx(labels)),
        }
        mirror.files.update(packed)
        mirror.cuts, mirror.cut_after = 1, 500
        monkeypatch.setattr(MNIST, "files", {name: sha256(data) for name, data in packed.items()})
        assert len(MNIST(tmp_path, download=True, mirrors=[mirror.url])) == 6
        mirror.files.clear()
        assert len(MNIST(tmp_path, download=True, mirrors=[mirror.url])) == 6
        assert "MB" in capsys.readouterr().out

    def test_what_the_mirror_sends_must_be_the_real_thing(self, mirror, tmp_path):
        mirror.files["train-images-idx3-ubyte.gz"] = gzip.compress(idx(mnist_files(2)[0]))
        with pytest.raises(OSError, match="SHA-256"):
            MNIST(tmp_path, download=True, mirrors=[mirror.url])
        assert list((tmp_path / "mnist").iterdir()) == []


class TestCIFAR10:
    def test_images_in_the_order_of_the_batches(self, tmp_path):
        data, records = cifar_archive([*TRAIN, "test_batch.bin", "batches.meta.txt"])
        put_cifar(tmp_path, data)
        dataset = CIFAR10(tmp_path)
        expected = np.concatenate([records[name] for name in sorted(TRAIN)])
        x, y = dataset.gather(np.arange(10))
        assert x.shape == (10, 3, 32, 32)
        np.testing.assert_allclose(x.data.reshape(10, -1), expected[:, 1:] / 255, rtol=1e-6)
        np.testing.assert_array_equal(y, expected[:, 0])
        assert len(CIFAR10(tmp_path, train=False)) == 2
        assert CIFAR10.classes[3] == "cat"

    def test_nothing_is_unpacked_to_disk(self, tmp_path):
        data, _ = cifar_archive(TRAIN, prefix="../../../elsewhere/")
        path = put_cifar(tmp_path, data)
        assert len(CIFAR10(tmp_path)) == 10
        assert list(tmp_path.rglob("*")) == [path.parent, path]

    def test_the_pickled_version_is_not_read(self, tmp_path):
        data, _ = cifar_archive(["data_batch_1", "test_batch"], prefix="cifar-10-batches-py/")
        put_cifar(tmp_path, data)
        with pytest.raises(ValueError, match="is damaged"):
            CIFAR10(tmp_path)

    @pytest.mark.parametrize(
        "damage",
        [
            lambda d: d[: len(d) // 2],
            lambda d: d[:-500],
            lambda d: d[:-4],
            lambda d: b"<html>",
            lambda d: b"",
            lambda d: d[:300] + b"?" * 30 + d[330:],
        ],
    )
    def test_a_damaged_archive_is_named(self, tmp_path, damage):
        put_cifar(tmp_path, damage(cifar_archive(TRAIN)[0]))
        with pytest.raises(ValueError, match=r"cifar-10-binary.tar.gz is damaged"):
            CIFAR10(tmp_path)

    def test_half_an_image_is_refused(self):
        for content in (b"", b"x" * 3072, b"x" * 3074):
            with pytest.raises(ValueError, match="whole images of 3073"):
                CIFAR10.records(content)

    def test_download_and_read(self, mirror, tmp_path, monkeypatch, capsys):
        data, _ = cifar_archive(TRAIN)
        mirror.files["cifar-10-binary.tar.gz"] = data
        monkeypatch.setattr(CIFAR10, "files", {"cifar-10-binary.tar.gz": sha256(data)})
        assert len(CIFAR10(tmp_path, download=True, mirrors=[mirror.url])) == 10
        assert capsys.readouterr().out.endswith("MB\n")


class TestDigits:
    def test_the_offline_data_set(self):
        from tito.lab import load_digits

        dataset = Digits()
        pixels, labels = load_digits()
        x, y = dataset.gather(np.arange(len(dataset)))
        assert x.shape == (1797, 1, 8, 8)
        np.testing.assert_array_equal(x.data.reshape(-1, 64), pixels)
        np.testing.assert_array_equal(y, labels)

    def test_it_fills_a_loader(self):
        batches = list(DataLoader(Digits(), 100, shuffle=True, generator=0))
        assert len(batches) == 18
        assert batches[-1][0].shape == (97, 1, 8, 8)
        assert 0 <= batches[0][0].data.min() < batches[0][0].data.max() <= 1

    def test_a_missing_file_is_named(self, tmp_path):
        with pytest.raises(FileNotFoundError, match=r"digits.csv"):
            Digits(tmp_path)

    @pytest.mark.parametrize("images", [np.zeros((2, 8, 8), np.uint8), np.zeros((2, 1, 8, 8), np.float32)])
    def test_other_arrays_are_no_images(self, images):
        with pytest.raises(ValueError, match="uint8 images"):
            ImageDataset(images, np.zeros(2, dtype=int))
