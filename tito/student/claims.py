"""What several seeds say about a milestone's claims: mean, interval, least and most, and a table of them."""

import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from importlib.util import find_spec
from pathlib import Path

from tito.course import Course
from tito.errors import CourseError
from tito.student.milestone_run import Result, run_milestone
from tito.student.milestones import Goals, Milestone

CONFIDENCE = 0.95
RESAMPLES = 10_000
TABLE = re.compile(r"(<!-- results: .*? -->).*?(<!-- end of results -->)", re.DOTALL)


class Verdict(Enum):
    """What the runs say about a goal."""

    MET = "met"
    OPEN = "too few seeds to tell"
    MISSED = "missed"


@dataclass(frozen=True)
class Summary:
    """One share over the seeds that were run; `low` to `high` is a 95 % interval for its mean."""

    name: str
    by_seed: Mapping[int, float]
    mean: float
    low: float
    high: float

    @property
    def least(self) -> int:
        """The seed with the least share."""
        return min(self.by_seed, key=self.by_seed.__getitem__)

    @property
    def most(self) -> int:
        """The seed with the largest share."""
        return max(self.by_seed, key=self.by_seed.__getitem__)

    def judge(self, kind: str, goal: float) -> Verdict:
        """Compare with a goal: each seed must keep a "least" or "most", the whole interval a "mean"."""
        if kind == "mean":
            return Verdict.MET if self.low >= goal else Verdict.OPEN if self.high >= goal else Verdict.MISSED
        least, most = self.by_seed[self.least], self.by_seed[self.most]
        return Verdict.MET if (least >= goal if kind == "least" else most <= goal) else Verdict.MISSED


def run_seeds(
    course: Course, milestone: Milestone, seeds: Sequence[int], picture: Path, say: Callable[[str], None]
) -> dict[int, Result]:
    """Run a milestone with each seed; the first one draws the picture.

    A single run is told line by line; of several, one line each and how long it will still take.
    """
    drawn = picture if find_spec("matplotlib") else None
    if drawn is None:
        say("There will be no picture: matplotlib is not installed (pip install -r requirements/student.txt).")
    if len(seeds) == 1:
        return {seeds[0]: run_milestone(course, milestone, seeds[0], drawn, say)}
    results: dict[int, Result] = {}
    start = time.monotonic()
    for seed in seeds:
        results[seed] = run_milestone(course, milestone, seed, None if results else drawn)
        left = (time.monotonic() - start) / len(results) * (len(seeds) - len(results))
        shares = ", ".join(percent(share) for share in results[seed].shares.values())
        say(f"seed {seed}: {shares}; about {left:.0f} s left")
    if drawn:
        say(f"The picture of seed {seeds[0]}: {drawn}")
    return results


def summarise(results: Mapping[int, Result]) -> list[Summary]:
    """Summarise each share of the runs, seed -> result."""
    names = list(next(iter(results.values())).shares)
    return [summary(name, {seed: result.shares[name] for seed, result in results.items()}) for name in names]


def summary(name: str, by_seed: Mapping[int, float]) -> Summary:
    """Mean and bootstrap interval (Efron 1979): the means of 10,000 draws of as many seeds, with replacement.

    A bootstrap never leaves the range from 0 to 1 and does not mind that shares pile up at 1, as a t-interval would.
    """
    import numpy as np

    values = np.array(list(by_seed.values()))
    draws = np.random.default_rng(0).choice(values, size=(RESAMPLES, len(values))).mean(axis=1)
    low, high = np.quantile(draws, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return Summary(name, by_seed, float(values.mean()), float(low), float(high))


def judgements(one: Summary, goals: Goals) -> list[tuple[str, Verdict]]:
    """Each goal for a share in words, such as "least ≥ 96.5 %", and what the runs say about it.

    The mean of a single seed is not judged.
    """
    return [
        (f"{kind} {'≤' if kind == 'most' else '≥'} {percent(goal)}", one.judge(kind, goal))
        for kind, goal in goals.get(one.name, {}).items()
        if kind != "mean" or len(one.by_seed) > 1
    ]


def missed(results: Mapping[int, Result], goals: Goals) -> list[str]:
    """The goals that the runs do not reach, in words."""
    return [
        f"{one.name}: {words}"
        for one in summarise(results)
        for words, verdict in judgements(one, goals)
        if verdict is Verdict.MISSED
    ]


def percent(share: float) -> str:
    """A share for a person."""
    return f"{100 * share:.1f} %"


def seeds_in_words(seeds: Iterable[int]) -> str:
    """Such as "seed 7" or "seeds 100 to 119"."""
    first, *rest = sorted(seeds)
    return f"seeds {first} to {rest[-1]}" if rest else f"seed {first}"


def table(results: Mapping[int, Result], goals: Goals) -> str:
    """Markdown: a row for each share, and what a run costs."""
    rows = [["right", "mean", "95 % interval", "least", "most", "claim"], ["---", *["--:"] * 4, "---"]]
    for one in summarise(results):
        ends = [f"{percent(one.by_seed[seed])} (seed {seed})" for seed in (one.least, one.most)]
        words = [f"{words}: {verdict.value}" for words, verdict in judgements(one, goals)]
        rows.append(
            [one.name, percent(one.mean), f"{percent(one.low)} to {percent(one.high)}", *ends, "; ".join(words)]
        )
    seconds = sum(result.seconds for result in results.values()) / len(results)
    runs = f"{len(results)} runs" if len(results) > 1 else "1 run"
    note = (
        f"{runs}, {seeds_in_words(results)}; the interval for the mean is a bootstrap's. "
        f"A run takes {seconds:.1f} s of processor time on one thread, with its start."
    )
    return "\n".join([*(f"| {' | '.join(row)} |" for row in rows), "", note])


def with_table(text: str, block: str) -> str:
    """A README's text with its table renewed.

    Raises:
        CourseError: it has no place for one.
    """
    if not TABLE.search(text):
        raise CourseError("The milestone's README.md has no place for results.", "Restore it from the repository.")
    return TABLE.sub(lambda found: f"{found[1]}\n\n{block}\n\n{found[2]}", text)
