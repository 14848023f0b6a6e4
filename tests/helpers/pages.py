"""Boards for tests of their page: as many models as asked for, with every view, and names as bad as can be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from math import exp

from harness.boards.board import Board
from harness.boards.rows import Row
from harness.boards.views import DETAILED, Bin, Curve, Level, Point, Reliability, Slice, Views
from harness.records.record import Measured
from harness.stats.inference import Estimate

HOSTILE = [
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>'",
    "-->]]></style></title></textarea><!--",
    "rtl \u200f\u05d0\u05d1\u05d2 and \u202e override",
    "emoji \U0001f9d1\u200d\U0001f3ed 👩🏽‍⚕️",
    "a" * 300,
    "&lt;b&gt; &amp; \x00\x1b[31m \ud800 \u2066",
    "javascript:alert(1)",
    "${alert(1)} {{7*7}} `x`",
]


class Page(HTMLParser):
    """A page as a browser would have it: its elements in order, their attributes, the text of each."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str | None]] = []
        self.texts: list[tuple[str, str]] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, key, value) for key, value in attrs]

    def handle_data(self, data: str) -> None:
        self.texts.append((self.tags[-1] if self.tags else "", data))

    def handle_comment(self, data: str) -> None:
        self.tags.append("comment")

    def of(self, key: str) -> list[str]:
        return [value or "" for _, name, value in self.attributes if name == key]

    def text(self) -> str:
        return " ".join(data for tag, data in self.texts if tag not in ("script", "style"))


def estimate(value: float, error: float, p: float | None = None) -> Estimate:
    return Estimate(value, error, value - 2 * error, value + 2 * error, p, p)


def row(i: int, label: str | None = None) -> Row:
    """Model ``i`` of a board: perplexity 8 exp(i/100), log-likelihoods .01 nats a transition apart.

    Models 0 to 2 are in the confidence set; a model's fit takes 1, 10 or 100 seconds, the dearer the better.
    """
    measured = Measured(
        fit_seconds=(100.0, 10.0, 1.0)[i % 3],
        score_seconds=0.5,
        peak_memory_mb=100.0 + i,
        device="cpu",
        cpu_count=2,
        platform="linux",
        versions={},
        started=datetime(2024, 1, 1, tzinfo=UTC),
        finished=datetime(2024, 1, 1, tzinfo=UTC),
    )
    value = 8 * exp(i / 100)
    behind = estimate(-i / 100, 0.012, 0.04) if i else None
    return Row(
        rank=i + 1,
        record=f"{i:016x}",
        model=f"model-{i}",
        label=label or f"model-{i}",
        base=None,
        figures={"log_likelihood": -1000 * (2.08 + i / 100), "top_1": 0.6 - i / 1000 if i % 4 else None},
        perplexity=estimate(value, 0.3),
        mcfadden_r2=0.5,
        regret=None,
        mass=None,
        sums_to_one=True,
        knows_truth=False,
        parameters_trained=1000 * (i + 1),
        seed=0,
        code="labor-harness 0",
        measured=measured,
        tied=(1, 3) if i < 3 else (i, i + 2),
        in_confidence_set=i < 3,
        confidence_p=1 / (i + 1),
        behind=behind,
    )


def truth(like: Row) -> Row:
    """The row of the true probabilities: out of competition, and better than all."""
    better = estimate(like.perplexity.value * exp(-0.05), 0.3)
    return replace(
        like,
        rank=None,
        label="oracle",
        record="f" * 16,
        perplexity=better,
        knows_truth=True,
        tied=None,
        in_confidence_set=False,
        confidence_p=None,
        behind=estimate(0.05, 0.01, 0.001),
    )


SLICES = {
    "gender": ("female", "male"),
    "age": ("16-24", "25-34", "35-44", "45-54", "55-64"),
    "origin status": ("employed", "unemployed", "in education", "out of the labor force"),
    "origin group": tuple(f"group {code}" for code in range(11, 55, 2)),
    "transition": ("seen in training", "not seen in training"),
}


def views(rows: tuple[Row, ...], slices: dict[str, tuple[str, ...]] | None = None) -> Views:
    """Every view of these rows. In each level model i is .01 i nats behind, its interval half as wide as that."""
    levels = {
        dimension: tuple(_level(rows[:DETAILED], name, 1 + k) for k, name in enumerate(names))
        for dimension, names in (SLICES if slices is None else slices).items()
    }
    bins = tuple(Bin(100.0, (2 * k + 1) / 20, (2 * k + 1) / 20 + (0.02 if k % 2 else -0.02)) for k in range(10))
    points = {size: 1 + 10 / size**0.5 for size in (100, 400, 1600)}
    curves = [
        Curve(r.label, tuple(Point(n, r.record, estimate(r.perplexity.value * f, 0.2)) for n, f in points.items()))
        for r in rows[:10]
    ]
    seconds = tuple(None if r.rank is None else r.measured.fit_seconds + r.measured.score_seconds for r in rows)
    timed = sorted((took, i) for i, took in enumerate(seconds) if took is not None)
    frontier: list[int] = []
    for _, i in timed:
        if not frontier or i < frontier[-1]:
            frontier.append(i)
    return Views(
        slices=tuple(Slice(dimension, parts) for dimension, parts in levels.items()),
        event="the likeliest state",
        reliability=tuple(Reliability(bins, 0.95, -0.02, 0.02) for _ in rows[:DETAILED]),
        curves=tuple(curves),
        seconds=seconds,
        frontier=tuple(frontier),
    )


def _level(rows: tuple[Row, ...], name: str, k: int) -> Level:
    perplexity = tuple(estimate(k * r.perplexity.value, 0.1) for r in rows)
    behind = tuple(None if r.behind is None else estimate(r.behind.value, abs(r.behind.value) / 4) for r in rows)
    return Level(name, 40 * k, 900 * k, perplexity, behind)


def board(
    models: int = 6, task: str = "next_occ", panel: str = "market", label: Callable[[int], str] | None = None
) -> Board:
    """A board of so many models and the true probabilities."""
    made = [row(i, label(i) if label else None) for i in range(models)]
    rows = (truth(made[0]), *made)
    return Board(
        panel=panel,
        folder=panel,
        fingerprint="0123456789abcdef" * 4,
        source={},
        panel_persons=2400,
        panel_records=53670,
        states=333,
        task=task,
        task_version=1,
        outcomes="every state is an outcome",
        persons=467,
        transitions=10002,
        rows=rows,
        views=views(rows),
    )


def hostile_board() -> Board:
    """A board in which every text that a plugin, a user or a panel may choose is one of the bad names."""
    made = board(len(HOSTILE), label=lambda i: HOSTILE[i])
    bad = HOSTILE[0] + HOSTILE[1]
    rows = tuple(
        replace(
            r,
            model=bad,
            base=bad,
            record=HOSTILE[2],
            measured=r.measured.model_copy(update={"device": bad}),
            figures={**r.figures, HOSTILE[2]: 0.5},
        )
        for r in made.rows
    )
    shown = replace(views(rows, {HOSTILE[i]: tuple(HOSTILE) for i in range(len(HOSTILE))}), event=bad)
    return replace(
        made,
        panel=bad,
        task=HOSTILE[1],
        folder=HOSTILE[3],
        outcomes=bad,
        source={"weights": bad},
        rows=rows,
        views=shown,
    )
