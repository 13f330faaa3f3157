"""Module 08 on the exported package: data sets, loader, prefetch, transforms, and the stack so far together."""

import json
import subprocess
import sys
import textwrap
import threading
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinytorch
from tinytorch.core.tensor import ShapeError, Tensor, manual_seed, rand
from tinytorch.data import loader as L
from tinytorch.data.loader import (
    DataLoader,
    Dataset,
    Normalize,
    RandomCrop,
    RandomHorizontalFlip,
    Subset,
    TensorDataset,
)

COUNTS = st.integers(1, 40)
SIZES = st.integers(1, 12)


class Numbered(Dataset):
    """Sample i is (i as a float, i); `fails_at` raises, `seen` remembers what was asked for."""

    def __init__(self, count, fails_at=None):
        self.count, self.fails_at, self.seen = count, fails_at, []

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        if index == self.fails_at:
            raise KeyError(f"sample {index} is unreadable")
        self.seen.append(index)
        return float(index), index


def labels(loader):
    return [batch[-1].tolist() for batch in loader]


def flat(loader):
    return [label for batch in labels(loader) for label in batch]


def prefetch_threads():
    return [thread for thread in threading.enumerate() if thread.name.startswith("prefetch")]


class TestPriorStackStillWorking:
    def test_importing_it_draws_no_random_numbers(self):
        code = "from tinytorch.core.tensor import manual_seed, rand; manual_seed(0); {}; print(rand(2).data.tolist())"
        runs = [code.format(extra) for extra in ("pass", "import tinytorch.data.loader")]
        root = Path(tinytorch.__file__).parents[1]
        out = [subprocess.run([sys.executable, "-c", run], cwd=root, capture_output=True, text=True) for run in runs]
        assert [o.returncode for o in out] == [0, 0]
        assert out[0].stdout == out[1].stdout

    def test_batches_are_ordinary_tensors(self):
        x, _ = TensorDataset(np.arange(6.0).reshape(3, 2), [0, 1, 2]).gather([2, 1])
        np.testing.assert_array_equal((x @ Tensor([[1.0], [10.0]])).data, [[54], [32]])
        assert not x.requires_grad
        assert x._grad_fn is None

    def test_an_unshuffled_pass_leaves_the_courses_random_numbers_alone(self):
        manual_seed(5)
        expected = rand(3).data.tolist()
        manual_seed(5)
        assert len(list(DataLoader(Numbered(9), 2))) == 5
        assert rand(3).data.tolist() == expected


class TestDatasets:
    def test_fields_keep_their_kind(self):
        x = np.arange(4, dtype=np.float64)
        batch = TensorDataset(x, Tensor(x), [1, 2, 3, 4], x.astype(np.uint8), x > 1).gather([3, 0])
        assert [type(field).__name__ for field in batch] == ["Tensor", "Tensor", "ndarray", "ndarray", "ndarray"]
        assert [field.dtype.name for field in batch] == ["float32", "float32", "int64", "uint8", "bool"]

    def test_samples_and_batches_are_copies(self):
        dataset = TensorDataset(np.ones((3, 2)), np.ones((3, 2), dtype=int))
        for field in (*dataset[1], *dataset.gather([1]), *dataset.gather([0, 1, 2])):
            L.raw(field)[...] = 7
        np.testing.assert_array_equal(dataset.arrays, np.ones((2, 3, 2)))

    def test_arrays_are_shared_where_possible_and_contiguous(self):
        x = np.ones((4, 3), dtype=np.float32)
        tensor = Tensor(x)
        shared = TensorDataset(x, tensor, x.T[:, :4].T)
        assert shared.arrays[0] is x
        assert shared.arrays[1] is tensor.data
        turned = TensorDataset(np.arange(6, dtype=np.float32).reshape(2, 3).T)
        assert turned.arrays[0].flags.c_contiguous
        np.testing.assert_array_equal(turned[0][0].data, [0, 3])

    @pytest.mark.parametrize(
        "fields, error, words",
        [
            ((), ValueError, "at least one"),
            ((np.ones(3), np.ones(4)), ShapeError, "3, 4 rows"),
            ((np.float32(1),), ShapeError, "axis of samples"),
            ((["a", "b"],), TypeError, "numbers"),
            (([None],), TypeError, "numbers"),
        ],
    )
    def test_fields_that_do_not_fit(self, fields, error, words):
        with pytest.raises(error, match=words):
            TensorDataset(*fields)

    @pytest.mark.parametrize("index", [3, -4])
    def test_index_out_of_range(self, index):
        dataset = TensorDataset(np.arange(3))
        for ask in (dataset.__getitem__, lambda i: dataset.gather([i]), lambda i: Subset(dataset, [0, i])):
            with pytest.raises(IndexError, match=str(index)):
                ask(index)

    def test_iteration_ends(self):
        assert [int(label) for (label,) in TensorDataset(np.arange(3))] == [0, 1, 2]

    def test_a_dataset_without_methods_says_what_it_needs(self):
        with pytest.raises(NotImplementedError, match="Dataset needs __len__"):
            len(Dataset())
        with pytest.raises(NotImplementedError, match=r"__getitem__.*number 3"):
            Dataset()[3]

    def test_subset_of_a_subset(self):
        inner = Subset(Subset(Numbered(10), [9, 7, 5, 3]), [3, 0])
        assert [inner[0], inner[-1]] == [(3.0, 3), (9.0, 9)]
        assert inner.gather(np.array([1, 0, 1]))[1].tolist() == [9, 3, 9]
        assert len(inner) == 2
        with pytest.raises(IndexError):
            inner[2]

    @given(st.integers(0, 60), st.lists(st.integers(1, 10), min_size=1, max_size=5), st.integers(0, 2**32))
    def test_a_split_deals_every_sample_once(self, count, weights, seed):
        fractions = [weight / sum(weights) for weight in weights]
        parts = L.random_split(TensorDataset(np.arange(count)), fractions, generator=seed)
        assert sorted(i for part in parts for i in part.indices.tolist()) == list(range(count))
        assert all(abs(len(part) - count * f) < 1 + 1e-6 for part, f in zip(parts, fractions, strict=True))

    @pytest.mark.parametrize("lengths", [[5, 6], [], [-1, 11], [0.5, 0.4], [1.5, -0.5], [3.0, 7]])
    def test_lengths_that_do_not_add_up(self, lengths):
        with pytest.raises(ValueError, match="add up"):
            L.random_split(Numbered(10), lengths)

    def test_a_split_follows_the_courses_seed(self):
        runs = []
        for _ in range(2):
            manual_seed(11)
            runs.append([part.indices.tolist() for part in L.random_split(Numbered(20), [15, 5])])
        assert runs[0] == runs[1]

    def test_sizes_are_pytorchs(self):
        torch = pytest.importorskip("torch")
        for count, fractions in ((10, [0.5, 0.5]), (11, [0.5, 0.5]), (100, [0.33, 0.33, 0.34]), (17, [0.9, 0.1])):
            parts = torch.utils.data.random_split(range(count), fractions)
            assert L.split_sizes(count, fractions) == [len(part) for part in parts]


class TestCollate:
    @pytest.mark.parametrize(
        "samples, error, words",
        [
            ([], ValueError, "at least one sample"),
            ([np.ones(3), np.ones(3)], TypeError, r"tuple of fields, not ndarray"),
            ([(np.ones(3), 1), (np.ones(4), 2)], ShapeError, r"sample 1 .*\(4,\).*sample 0 .*\(3,\).*collate_fn"),
            ([(1, 2), (1,)], ShapeError, "sample 1"),
        ],
    )
    def test_samples_that_do_not_fit(self, samples, error, words):
        with pytest.raises(error, match=words):
            L.collate(samples)

    def test_a_dataset_of_ones_own(self):
        x, y = next(iter(DataLoader(Numbered(5), 3)))
        assert x.shape == (3,)
        assert x.dtype == np.float32
        assert y.tolist() == [0, 1, 2]

    def test_collate_fn_pads_sequences(self):
        class Words(Numbered):
            def __getitem__(self, index):
                return np.arange(index + 1), index

        def padded(samples):
            width = max(len(tokens) for tokens, _ in samples)
            return np.stack([np.pad(tokens, (0, width - len(tokens))) for tokens, _ in samples]), len(samples)

        (tokens, count), *_ = DataLoader(Words(4), 3, collate_fn=padded)
        assert tokens.tolist() == [[0, 0, 0], [0, 1, 0], [0, 1, 2]]
        assert count == 3


class TestDataLoaderCore:
    @given(COUNTS, SIZES, st.booleans(), st.integers(0, 3), st.integers(0, 2**32))
    def test_an_epoch_is_every_sample_once(self, count, size, shuffle, prefetch, seed):
        loader = DataLoader(Numbered(count), size, shuffle, prefetch=prefetch, generator=seed)
        batches = labels(loader)
        assert sorted(sum(batches, [])) == list(range(count))  # noqa: RUF017
        assert [len(batch) for batch in batches] == [size] * (count // size) + [count % size] * (count % size > 0)
        assert len(batches) == len(loader)

    @given(COUNTS, SIZES, st.integers(0, 2**32))
    def test_drop_last_gives_full_batches_only(self, count, size, seed):
        if size > count:
            with pytest.raises(ValueError, match="leaves nothing"):
                DataLoader(Numbered(count), size, drop_last=True)
            return
        loader = DataLoader(Numbered(count), size, shuffle=True, drop_last=True, generator=seed)
        assert [len(batch) for batch in labels(loader)] == [size] * (count // size)
        assert len(loader) == count // size

    @given(COUNTS, SIZES, st.data())
    def test_resuming_anywhere_gives_the_rest(self, count, size, data):
        def make():
            return DataLoader(
                Numbered(count), size, shuffle=True, generator=9, transform=lambda x, rng: x + rng.random()
            )

        whole = make()
        expected = [[(x.data.tolist(), y.tolist()) for x, y in whole] for _ in range(2)]
        done = data.draw(st.integers(0, len(whole)))
        first, second = make(), make()
        begun = iter(first)
        for _ in range(done):
            next(begun)
        second.load_state_dict(first.state_dict())
        assert [(x.data.tolist(), y.tolist()) for x, y in second] == expected[0][done:]
        assert [(x.data.tolist(), y.tolist()) for x, y in second] == expected[1]

    def test_resuming_with_the_courses_generator(self):
        manual_seed(3)
        loader = DataLoader(Numbered(20), 4, shuffle=True, prefetch=2)
        batches = iter(loader)
        begun = [next(batches)[1].tolist() for _ in range(2)]
        state = loader.state_dict()
        manual_seed(99)
        other = DataLoader(Numbered(20), 4, shuffle=True)
        other.load_state_dict(state)
        assert begun + labels(other) == begun + [y.tolist() for _, y in batches]

    def test_a_state_is_plain_numbers_and_survives_json(self):
        first, second = (DataLoader(Numbered(9), 2, shuffle=True, generator=1) for _ in range(2))
        next(iter(first))
        second.load_state_dict(json.loads(json.dumps(first.state_dict())))
        third = DataLoader(Numbered(9), 2, shuffle=True, generator=1)
        assert labels(second) == labels(third)[1:]
        assert labels(second) == labels(third)

    def test_a_finished_epoch_is_followed_by_a_new_one(self):
        first, second = (DataLoader(Numbered(9), 2, shuffle=True, generator=1) for _ in range(2))
        list(first)
        second.load_state_dict(first.state_dict())
        assert len(labels(second)) == 5
        assert labels(second) != labels(second)

    @pytest.mark.parametrize(
        "change, words",
        [
            ({"samples": 8}, "samples is 9, in the state 8"),
            ({"batch_size": 3, "shuffle": False}, "batch_size is 2, in the state 3; shuffle is True"),
            ({"generator": None}, "generator of its own"),
            ({"batch": -1}, "whole number"),
        ],
    )
    def test_a_foreign_state_is_refused_and_changes_nothing(self, change, words):
        loader = DataLoader(Numbered(9), 2, shuffle=True, generator=1)
        next(iter(loader))
        before = loader.state_dict()
        with pytest.raises(ValueError, match=words):
            loader.load_state_dict({**before, "seed": 5, **change})
        with pytest.raises(ValueError, match="lacks batch, seed"):
            loader.load_state_dict({key: value for key, value in before.items() if key not in ("seed", "batch")})
        assert loader.state_dict() == before

    def test_leaving_early_and_starting_again_is_a_new_epoch(self):
        loader = DataLoader(Numbered(9), 2, shuffle=True, generator=1)
        for _ in loader:
            break
        assert len(flat(loader)) == 9

    def test_two_loops_at_once_do_not_disturb_each_other(self):
        loader = DataLoader(Numbered(6), 2)
        assert [(a[1].tolist(), b[1].tolist()) for a, b in zip(loader, loader, strict=True)] == [
            ([i, i + 1],) * 2 for i in (0, 2, 4)
        ]

    def test_manual_seed_repeats_epochs_and_epochs_differ(self):
        loader = DataLoader(Numbered(50), 8, shuffle=True)
        manual_seed(2)
        first, second = flat(loader), flat(loader)
        manual_seed(2)
        assert [flat(loader), flat(loader)] == [first, second]
        assert first != second

    def test_a_seed_of_ones_own_leaves_the_courses_numbers_alone(self):
        manual_seed(4)
        expected = rand(2).data.tolist()
        manual_seed(4)
        one, two = (flat(DataLoader(Numbered(20), 4, shuffle=True, generator=g)) for g in (7, np.random.default_rng(7)))
        assert one == two
        assert rand(2).data.tolist() == expected

    @pytest.mark.parametrize(
        "options, words",
        [
            ({"batch_size": 0}, "batch_size .* at least 1, not 0"),
            ({"batch_size": -3}, "batch_size"),
            ({"batch_size": 2.0}, r"batch_size .* not 2\.0"),
            ({"batch_size": True}, "batch_size .* not True"),
            ({"prefetch": -1}, "prefetch .* at least 0"),
            ({"batch_size": 6, "drop_last": True}, "leaves nothing of 5 samples in batches of 6"),
        ],
    )
    def test_options_that_make_no_sense(self, options, words):
        with pytest.raises(ValueError, match=words):
            DataLoader(Numbered(5), **options)

    def test_an_empty_dataset_is_refused(self):
        with pytest.raises(ValueError, match="empty"):
            DataLoader(Numbered(0))

    def test_a_list_is_no_dataset(self):
        with pytest.raises(TypeError, match="not list: derive your class from Dataset"):
            DataLoader([(1, 2)])

    def test_first_places_are_uniform(self):
        loader = DataLoader(Numbered(4), 4, shuffle=True, generator=0)
        places = np.zeros((4, 4))
        for _ in range(2000):
            places[np.arange(4), flat(loader)] += 1
        np.testing.assert_allclose(places, 500, atol=100)  # 5 standard deviations of a binomial(2000, 1/4)

    def test_batches_are_pytorchs(self):
        torch = pytest.importorskip("torch")
        x, y = np.random.default_rng(0).random((23, 3), dtype=np.float32), np.arange(23)
        data = torch.utils.data
        theirs = data.DataLoader(data.TensorDataset(torch.from_numpy(x), torch.from_numpy(y)), batch_size=5)
        for mine, other in zip(DataLoader(TensorDataset(x, y), batch_size=5), theirs, strict=True):
            np.testing.assert_array_equal(mine[0].data, other[0].numpy())
            np.testing.assert_array_equal(mine[1], other[1].numpy())

    def test_an_epoch_needs_little_memory(self):
        dataset = TensorDataset(np.ones((20_000, 256), dtype=np.float32), np.zeros(20_000, dtype=int))  # 20 MB
        loader = DataLoader(dataset, 64, shuffle=True)
        tracemalloc.start()
        for _ in loader:
            pass
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 2_000_000  # row numbers (160 kB), a few views of them, two batches of 66 kB


class TestPrefetch:
    @given(COUNTS, SIZES, st.integers(1, 5))
    def test_it_changes_nothing_but_the_time(self, count, size, depth):
        plain, ahead = (DataLoader(Numbered(count), size, shuffle=True, prefetch=p, generator=3) for p in (0, depth))
        assert labels(ahead) == labels(plain)
        assert labels(ahead) == labels(plain)

    def test_an_exception_in_the_thread_reaches_the_loop_at_its_batch(self):
        seen = []
        with pytest.raises(KeyError, match="sample 5 is unreadable"):
            for _, y in DataLoader(Numbered(10, fails_at=5), 2, prefetch=3):
                seen.append(y.tolist())
        assert seen == [[0, 1], [2, 3]]
        assert prefetch_threads() == []

    def test_leaving_early_ends_the_thread(self):
        for _ in DataLoader(Numbered(1000), 2, prefetch=4):
            break
        assert prefetch_threads() == []

    def test_an_error_in_the_loop_ends_the_thread(self):
        def consume():
            for _ in DataLoader(Numbered(1000), 2, prefetch=4):
                raise RuntimeError("the loss is nan")

        with pytest.raises(RuntimeError, match="nan"):
            consume()
        assert prefetch_threads() == []

    def test_it_is_never_more_than_depth_batches_ahead(self):
        dataset = Numbered(40)
        batches = iter(DataLoader(dataset, 2, prefetch=3))
        next(batches)
        for _ in range(200):  # until the thread has nothing more to do
            if len(dataset.seen) == 8:
                break
            time.sleep(0.01)
        time.sleep(0.05)
        assert dataset.seen == list(range(8))  # one batch handed out, three ahead
        batches.close()

    def test_the_place_counts_what_was_handed_out_not_what_was_prepared(self):
        loader = DataLoader(Numbered(40), 2, prefetch=4)
        batches = iter(loader)
        next(batches)
        assert loader.state_dict()["batch"] == 1
        batches.close()

    @pytest.mark.parametrize("end", ["raise SystemExit(3)", "sys.exit(3)"])
    def test_a_program_that_stops_in_the_middle_ends(self, end):
        code = f"""
        import sys
        import numpy as np
        from tinytorch.data.loader import DataLoader, TensorDataset
        batches = iter(DataLoader(TensorDataset(np.zeros(1000)), 2, prefetch=4))
        next(batches)
        {end}
        """
        root = Path(tinytorch.__file__).parents[1]
        done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], cwd=root, timeout=60)
        assert done.returncode == 3

    def test_waiting_overlaps(self):
        class Slow(Numbered):
            def __getitem__(self, index):
                time.sleep(0.02)
                return super().__getitem__(index)

        start = time.perf_counter()
        for _ in DataLoader(Slow(10), 1, prefetch=1):
            time.sleep(0.02)
        assert time.perf_counter() - start < 0.35  # 0.4 s in turn, 0.22 s side by side


class TestTransforms:
    IMAGES = np.random.default_rng(0).random((8, 3, 6, 5), dtype=np.float32)

    @given(st.integers(1, 6), st.integers(0, 3), st.integers(0, 2**32))
    def test_a_crop_is_a_window_of_the_padded_image(self, size, padding, seed):
        images = self.IMAGES[:3, :, :, :]
        if size > 5 + 2 * padding:
            with pytest.raises(ShapeError, match=f"no square of {size} fits"):
                RandomCrop(size, padding)(images, seed)
            return
        got = RandomCrop(size, padding)(images, seed)
        padded = np.pad(images, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
        windows = np.lib.stride_tricks.sliding_window_view(padded, (size, size), axis=(2, 3))
        assert got.shape == (3, 3, size, size)
        assert got.dtype == np.float32
        for image, crop in enumerate(got):
            places = windows[image].transpose(1, 2, 0, 3, 4)
            assert (places == crop).all(axis=(2, 3, 4)).any()

    def test_each_image_has_its_own_place_and_all_places_occur(self):
        ramp = np.tile(np.arange(16, dtype=np.float32).reshape(1, 1, 4, 4), (400, 1, 1, 1))
        corners = RandomCrop(2)(ramp, 0)[:, 0, 0, 0]
        assert sorted(set(corners.tolist())) == [0, 1, 2, 4, 5, 6, 8, 9, 10]

    def test_a_flip_mirrors_about_half_of_the_images(self):
        images = np.tile(np.arange(6, dtype=np.float32).reshape(1, 1, 2, 3), (1000, 1, 1, 1))
        got = RandomHorizontalFlip()(images, 1)
        mirrored = (got == images[..., ::-1]).all(axis=(1, 2, 3))
        untouched = (got == images).all(axis=(1, 2, 3))
        assert (mirrored ^ untouched).all()
        assert 420 < mirrored.sum() < 580  # five standard deviations
        assert images[0, 0, 0].tolist() == [0, 1, 2]

    @pytest.mark.parametrize("p, flips", [(0, False), (1, True)])
    def test_a_certain_flip(self, p, flips):
        expected = self.IMAGES[..., ::-1] if flips else self.IMAGES
        np.testing.assert_array_equal(RandomHorizontalFlip(p)(self.IMAGES), expected)

    def test_normalize_is_torchs_formula(self):
        torch = pytest.importorskip("torch")
        mean, std = [0.49, 0.48, 0.45], [0.25, 0.24, 0.26]
        got = Normalize(mean, std)(self.IMAGES)
        expected = (torch.from_numpy(self.IMAGES) - torch.tensor(mean)[:, None, None]) / torch.tensor(std)[
            :, None, None
        ]
        np.testing.assert_allclose(got, expected.numpy(), rtol=1e-6, atol=1e-6)
        np.testing.assert_array_equal(Normalize(mean, std)(self.IMAGES[0]), got[0])

    @pytest.mark.parametrize(
        "make, error, words",
        [
            (lambda: Normalize([0.5], [0.0]), ValueError, "std above 0"),
            (lambda: Normalize([0.5], [np.nan]), ValueError, "std above 0"),
            (lambda: Normalize([0.5], [0.1, 0.2]), ValueError, "each channel"),
            (lambda: Normalize([0.5], [0.1])(TestTransforms.IMAGES), ShapeError, "3 channels, not 1"),
            (lambda: RandomCrop(0), ValueError, "size"),
            (lambda: RandomCrop(3, padding=-1), ValueError, "padding"),
            (lambda: RandomHorizontalFlip(1.5), ValueError, "between 0 and 1"),
        ],
    )
    def test_wrong_use_is_explained(self, make, error, words):
        with pytest.raises(error, match=words):
            make()

    def test_random_transforms_belong_to_the_batch_not_to_the_thread(self):
        def augment(images, rng):
            return RandomHorizontalFlip()(RandomCrop(5, padding=1)(images, rng), rng)

        dataset = TensorDataset(np.tile(self.IMAGES, (5, 1, 1, 1)), np.arange(40))
        epochs = []
        for prefetch in (0, 3):
            manual_seed(1)
            loader = DataLoader(dataset, 8, shuffle=True, transform=augment, prefetch=prefetch)
            epoch = []
            for x, y in loader:
                rand(100)  # the model's dropout, drawing at the same time
                epoch.append((x.data.tolist(), y.tolist()))
            epochs.append(epoch)
        assert epochs[0] == epochs[1]


class TestProgressiveStackIntegration:
    def test_a_linear_model_learns_digits_from_batches(self):
        from tinytorch.core.layers import Linear
        from tinytorch.core.losses import cross_entropy
        from tinytorch.core.optimizers import SGD

        tinytorch.enable_autograd()
        manual_seed(0)
        train, test = L.random_split(L.Digits(), [0.8, 0.2])
        model = Linear(64, 10)
        optimizer = SGD(model.parameters(), lr=0.2)
        for _ in range(5):
            for x, y in DataLoader(train, 32, shuffle=True, prefetch=1):
                optimizer.zero_grad()
                cross_entropy(model(x.flatten(1)), y).backward()
                optimizer.step()
        right = [np.mean(model(x.flatten(1)).argmax(axis=1) == y) for x, y in DataLoader(test, len(test))]
        assert right[0] > 0.9
