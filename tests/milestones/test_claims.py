"""What is claimed over seeds: the statistics, and the twenty seeds themselves, on which no setting was chosen."""

from functools import cache
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tito.course import Course
from tito.errors import CourseError
from tito.student.claims import Verdict, judgements, missed, summarise, summary, table, with_table
from tito.student.milestone_run import Result
from tito.student.milestone_worker import load_script
from tito.student.milestones import find_milestone, find_milestones

COURSE = Course(Path(__file__).parents[2])
SEEDS = range(100, 120)
FEWER = {"transformer": range(100, 105)}  # twenty seconds each; its README tells of all twenty seeds
SHARES = st.lists(st.integers(0, 359), min_size=1, max_size=20).map(lambda rights: [right / 359 for right in rights])


@cache
def measured(word):
    """Seed -> result of a milestone."""
    script = load_script(find_milestone(COURSE, word).path)
    return {seed: Result(script.run(seed), 0) for seed in FEWER.get(word, SEEDS)}


@pytest.mark.slow
@pytest.mark.timeout(1800)
class TestTwentySeeds:
    @pytest.mark.parametrize("word", ["1957", "1969", "1986", "1998", "transformer"])
    def test_each_goal_is_met(self, word):
        goals = find_milestone(COURSE, word).goals
        verdicts = {one.name: dict(judgements(one, goals)) for one in summarise(measured(word))}
        assert {name: set(met.values()) for name, met in verdicts.items()} == {name: {Verdict.MET} for name in goals}

    def test_the_cnn_makes_fewer_mistakes_than_the_mlp_on_the_same_digits(self):
        mlp, cnn = measured("1986"), measured("1998")
        gain = {s: cnn[s].shares["unseen digits"] - mlp[s].shares["unseen digits"] for s in SEEDS}
        assert summary("gain", gain).low > 0


class TestSummary:
    @given(SHARES)
    def test_order(self, shares):
        one = summary("digits", dict(enumerate(shares)))
        assert one.by_seed[one.least] == min(shares)
        assert one.by_seed[one.most] == max(shares)
        assert one.mean == pytest.approx(sum(shares) / len(shares))
        assert min(shares) <= one.low + 1e-12 <= one.high + 2e-12 <= max(shares) + 3e-12

    def test_the_interval_is_that_of_a_normal_mean_where_that_holds(self):
        one = summary("digits", {seed: 0.98 + 0.001 * (seed % 5) for seed in range(100)})
        half = 1.96 * 0.001 * 2**0.5 / 10  # of five equally spaced values, a hundred times
        assert one.mean == pytest.approx(0.982)
        assert (one.mean - one.low, one.high - one.mean) == pytest.approx((half, half), rel=0.1)

    @pytest.mark.parametrize(
        ("shares", "kind", "goal", "verdict"),
        [
            ([0.96, 0.99], "least", 0.96, Verdict.MET),
            ([0.95, 0.99], "least", 0.96, Verdict.MISSED),
            ([0.75, 0.5], "most", 0.75, Verdict.MET),
            ([1.0, 0.5], "most", 0.75, Verdict.MISSED),
            ([0.98, 0.99], "mean", 0.98, Verdict.MET),
            ([0.95, 0.99], "mean", 0.98, Verdict.OPEN),
            ([0.95, 0.97], "mean", 0.98, Verdict.MISSED),
        ],
    )
    def test_verdicts(self, shares, kind, goal, verdict):
        assert summary("digits", dict(enumerate(shares))).judge(kind, goal) is verdict

    def test_the_mean_of_one_seed_is_not_judged(self):
        goals = {"digits": {"mean": 0.99, "least": 0.9}}
        assert missed({0: Result({"digits": 0.95}, 0)}, goals) == []
        assert missed({0: Result({"digits": 0.85}, 0)}, goals) == ["digits: least ≥ 90.0 %"]


class TestTable:
    def test_rows(self):
        results = {100 + i: Result({"digits": share}, 2.0) for i, share in enumerate([0.98, 0.97, 0.99])}
        _, _, row, _, note = table(results, {"digits": {"mean": 0.9, "least": 0.975}}).splitlines()
        assert row == (
            "| digits | 98.0 % | 97.0 % to 99.0 % | 97.0 % (seed 101) | 99.0 % (seed 102) "
            "| mean ≥ 90.0 %: met; least ≥ 97.5 %: missed |"
        )
        assert note.startswith("3 runs, seeds 100 to 102;")
        assert "2.0 s of processor time" in note

    @pytest.mark.parametrize("milestone", find_milestones(COURSE), ids=lambda m: m.folder)
    def test_the_readme_has_a_place_for_it(self, milestone):
        text = milestone.path.with_name("README.md").read_text(encoding="utf-8")
        renewed = with_table(text, "| new |")
        assert renewed.count("| new |") == 1
        assert with_table(renewed, "| new |") == renewed

    def test_a_readme_without_a_place(self):
        with pytest.raises(CourseError, match="no place for results"):
            with_table("# 1986", "| new |")
