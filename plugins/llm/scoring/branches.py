"""ln P(title | history) by the chain rule, over the title's tokens and the delimiter that ends it.

The observed titles of a whole career are read from one teacher-forced pass. Any other title is a branch: its tokens are
appended to the same sequence, take up the position right after the line head they answer, and see the career up to
that head and themselves, nothing else (tree attention: Cai et al. 2024, Medusa, section 2.3). A career, its branches
and all, thus costs one forward pass instead of one for every choice.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch

from harness.plugins.llm.scoring.head import Reading, log_prob_of, reading
from harness.plugins.llm.scoring.prefix import SharedPrefix, common_length, is_worth_sharing
from harness.plugins.llm.scoring.ways import SHORT, ReadingWays, made_up
from harness.plugins.llm.text.pieces import Ragged, ranges
from harness.plugins.llm.text.tokens import Resumes, Windows
from harness.training.workers import workers
from harness.types import FloatArray, IntArray

# The most tokens a forward pass takes, padding included: on a CPU as many as its caches hold, elsewhere what is right
# for a vocabulary of 4,096; fewer for a larger one, so that the logits stay near 128 MiB.
CPU_TOKENS, BATCH_TOKENS = 512, 4096
BATCH_LOGITS = BATCH_TOKENS * 4096
# The most branch tokens in a sequence: the attention of a sequence grows with its square, while a shorter one repeats
# the career more often.
BRANCH_TOKENS = 512
BRANCH_TOLERANCE = 1e-3


@dataclass(frozen=True)
class ReadingJob:
    """One sequence to run, of length L, and what to read from it, r tokens.

    position: of each token in the text. branch: which branch it belongs to, -1 for the career. sees: the last career
    token that it may attend to. read_at, read_token, read_out: the logits to read, the token whose log-probability is
    wanted there, and the output that it adds to.
    """

    ids: IntArray
    position: IntArray
    branch: IntArray
    sees: IntArray
    read_at: IntArray
    read_token: IntArray
    read_out: IntArray

    @property
    def has_branches(self) -> bool:
        return bool(self.branch[-1] >= 0)


class Scorer:
    """Log-probabilities of titles under one causal language model.

    model: a transformers or peft causal language model in evaluation mode. pad: any token id. Models that do not follow
    a four-dimensional attention mask exactly (ways; None: tried once, on few made-up tokens) are asked one choice at a
    time.
    """

    def __init__(self, model: Any, pad: int, ways: ReadingWays | None = None) -> None:
        self.model = model
        self.pad = pad
        self.ways = ways
        self._branches_exact = None if ways is None else ways.branches
        self._read: Reading | None = None

    def log_prob(self, resumes: Resumes, targets: IntArray, states: IntArray) -> FloatArray:
        """float32 [n, m]: ln P(title of states[i, j], delimiter | history of targets[i]).

        targets: int64 [n], target records of ``resumes.panel``, in any order. states: int64 [n, m].
        """
        distinct, row = np.unique(targets, return_inverse=True)
        k = resumes.panel.n_states
        asked, where = np.unique(row.reshape(-1, 1) * k + states, return_inverse=True)
        asked_row, asked_state = asked // k, asked % k
        observed = resumes.panel.state[distinct[asked_row]] == asked_state
        windows = resumes.windows(distinct)
        jobs = list(
            _observed_jobs(windows, resumes.events, row=asked_row, state=asked_state, outputs=np.flatnonzero(observed))
        )
        rest = np.flatnonzero(~observed)
        if len(rest):
            build = _branch_jobs if self.branches_exact() else _naive_jobs
            jobs += build(windows, resumes.events, row=asked_row, state=asked_state, outputs=rest)
        found: FloatArray = np.minimum(self.run(jobs, len(asked), self._shared(jobs)), 0.0)
        return np.asarray(found[where.reshape(states.shape)], dtype=np.float32)

    def branches_exact(self) -> bool:
        """True where this model prices a branch as it prices the same tokens in a sequence of their own."""
        if self._branches_exact is None:
            self._branches_exact = self.try_branches()
        return self._branches_exact

    def try_branches(self, length: int = SHORT) -> bool:
        """As ``branches_exact``, of a career of so many made-up tokens, with a title behind it."""
        vocabulary = int(self.model.get_input_embeddings().weight.shape[0])
        career = made_up(length, vocabulary)
        ends = np.array([length // 3, length - 6])  # where the longer event has room
        windows = Windows(Ragged(career, np.array([0, length])), np.array([0, 1]), np.zeros(2, np.int64), ends)
        events = Ragged(np.arange(3, 11) * 53 % min(vocabulary, 1000), np.array([0, 3, 8]))
        ask = (np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1]), np.arange(4))
        naive = self.run(_naive_jobs(windows, events, *ask), 4)
        try:
            branched = self.run(_branch_jobs(windows, events, *ask), 4)
        except (TypeError, ValueError, IndexError, RuntimeError):
            return False  # an architecture that takes no such mask, or no positions
        return bool(np.abs(branched - naive).max() < BRANCH_TOLERANCE)

    def run(self, jobs: list[ReadingJob], outputs: int, prefix: SharedPrefix | None = None) -> FloatArray:
        """float64 [outputs]: sums of the log-probabilities of the tokens that the jobs read.

        prefix: what they all begin with, read before.
        """
        result = np.zeros(outputs, dtype=np.float64)
        weight = self.model.get_input_embeddings().weight
        most = CPU_TOKENS if weight.device.type == "cpu" else BATCH_TOKENS
        limit = max(1, min(most, BATCH_LOGITS // int(weight.shape[0])))
        batches = list(_batches(jobs, limit, 0 if prefix is None else prefix.length))
        with workers(weight.device.type) as (pool, _):
            read = partial(self._forward, prefix=prefix)
            for batch, log_prob in zip(batches, pool.map(read, batches), strict=True):
                out = np.concatenate([job.read_out for job in batch])
                result += np.bincount(out, weights=log_prob, minlength=outputs)
        return result

    def _shared(self, jobs: list[ReadingJob]) -> SharedPrefix | None:
        """The prefix of all jobs, where the longest of them is scored behind it as it is in one piece."""
        if self.ways is not None and not self.ways.tree:  # this base reads nothing behind what it has kept
            return None
        most = min((int(job.read_at.min()) for job in jobs), default=0)
        length = common_length([job.ids for job in jobs], most)
        longest = max(jobs, key=lambda job: len(job.ids), default=None)
        if longest is None or not is_worth_sharing(length, len(jobs), len(longest.ids)):
            return None
        plain = self._forward([longest])
        try:
            prefix = SharedPrefix.read(self.model, longest.ids[:length])
            apart = np.abs(self._forward([longest], prefix) - plain).max()
        except (TypeError, ValueError, IndexError, AttributeError, RuntimeError):
            return None  # an architecture that keeps nothing to read behind
        return prefix if apart < BRANCH_TOLERANCE else None

    def _forward(self, batch: list[ReadingJob], prefix: SharedPrefix | None = None) -> FloatArray:
        """float64 [reads of the batch]: the log-probability of each token that is read, in the order of the jobs.

        prefix: what they all begin with, read before.
        """
        if self._read is None:
            self._read = reading(self.model)
        begin = 0 if prefix is None else prefix.length
        length = max(len(job.ids) for job in batch)
        device = self.model.get_input_embeddings().weight.device

        def stack(rows: list[IntArray], fill: int) -> torch.Tensor:
            table = np.full((len(rows), length), fill, dtype=np.int64)
            for i, row in enumerate(rows):
                table[i, : len(row)] = row
            return torch.from_numpy(table).to(device)

        extra: dict[str, Any] = {}
        if batch[0].has_branches:
            mask = tree_mask(stack([job.branch for job in batch], -1), stack([job.sees for job in batch], -1))
            extra["attention_mask"] = mask[:, :, begin:]
            extra["position_ids"] = stack([job.position for job in batch], 0)[:, begin:]
        if prefix is not None:
            extra["past_key_values"] = prefix.cache(len(batch))
        # Without a mask, attention is causal, and what follows a token (padding above all) cannot reach it.
        ids = stack([job.ids for job in batch], self.pad)
        row = np.repeat(np.arange(len(batch)), [len(job.read_at) for job in batch])
        place = row * length + np.concatenate([job.read_at for job in batch])
        distinct, which = np.unique(place, return_inverse=True)  # branches of a head are all read there
        places = torch.zeros(ids.shape, dtype=torch.bool)
        places.view(-1)[torch.from_numpy(distinct)] = True
        with torch.inference_mode():
            there = places[:, begin:].to(device)
            logits = self._read(self.model, ids[:, begin:], there, **extra)  # [distinct places, V]
        return log_prob_of(logits, which, np.concatenate([job.read_token for job in batch]))


def tree_mask(branch: torch.Tensor, sees: torch.Tensor) -> torch.Tensor:
    """float32 [B, 1, L, L] to add to attention scores: 0 where a token (row) may attend to another (column).

    branch, sees: int64 [B, L], as in ``ReadingJob``; padding has -1 in both. Additive, because eager attention takes a
    boolean mask without complaint and wrongly.
    """
    place = torch.arange(branch.shape[1], device=branch.device)
    career = (branch < 0)[:, None, :] & (place[None, None, :] <= sees[:, :, None])  # [B, L, L]
    same = (branch[:, :, None] == branch[:, None, :]) & (branch >= 0)[:, :, None]
    allowed = (
        career
        | (same & (place[None, :] <= place[:, None]))
        | torch.eye(len(place), dtype=torch.bool)[None].to(branch.device)
    )
    mask = torch.zeros(allowed.shape, dtype=torch.float32, device=branch.device)
    return mask.masked_fill_(~allowed, torch.finfo(torch.float32).min)[:, None]


def _observed_jobs(
    windows: Windows, events: Ragged, row: IntArray, state: IntArray, outputs: IntArray
) -> Iterator[ReadingJob]:
    """Whole windows, read at the titles that they hold. outputs: int64 [o], which (row, state) pairs are those."""
    for window, chosen in _by_window(windows, row, outputs):
        ids = windows.tokens[window]
        event = events.gather(state[chosen])
        at = ranges(windows.at[row[chosen]], event.lengths)
        place = np.arange(len(ids))
        career = np.full(len(ids), -1, dtype=np.int64)
        yield ReadingJob(
            ids=ids,
            position=place,
            branch=career,
            sees=place,
            read_at=at,
            read_token=event.ids,
            read_out=np.repeat(chosen, event.lengths),
        )


def _branch_jobs(
    windows: Windows, events: Ragged, row: IntArray, state: IntArray, outputs: IntArray
) -> list[ReadingJob]:
    """Windows with branches behind them, as many as fit the limit; a window may need several sequences."""
    jobs = []
    for window, chosen in _by_window(windows, row, outputs):
        career = windows.tokens[window]
        limit = max(BRANCH_TOKENS, len(career))
        part = (np.cumsum(events.lengths[state[chosen]] - 1) - 1) // limit
        for some in np.split(chosen, np.flatnonzero(np.diff(part)) + 1):
            jobs.append(_with_branches(career, windows.at[row[some]], events.gather(state[some]), some))
    return jobs


def _with_branches(career: IntArray, at: IntArray, event: Ragged, outputs: IntArray) -> ReadingJob:
    """The career up to the last line head asked about, and a branch for each event: all its tokens but the last."""
    career = career[: at.max() + 1]
    inputs = event.lengths - 1
    start = len(career) + np.cumsum(inputs) - inputs  # of each branch
    own = ranges(event.offsets[:-1], inputs)
    place = np.arange(len(career))
    # The first token of an event is read at the line head, the others inside the branch.
    first = event.offsets[:-1]
    read_at = ranges(start - 1, event.lengths)
    read_at[first] = at
    return ReadingJob(
        ids=np.concatenate([career, event.ids[own]]),
        position=np.concatenate([place, ranges(at + 1, inputs)]),
        branch=np.concatenate([np.full(len(career), -1), np.repeat(np.arange(len(at)), inputs)]),
        sees=np.concatenate([place, np.repeat(at, inputs)]),
        read_at=read_at,
        read_token=event.ids,
        read_out=np.repeat(outputs, event.lengths),
    )


def _naive_jobs(
    windows: Windows, events: Ragged, row: IntArray, state: IntArray, outputs: IntArray
) -> list[ReadingJob]:
    """A sequence of its own for every choice: the history, and the event."""
    jobs = []
    for output in outputs.tolist():
        at, event = int(windows.at[row[output]]), events[int(state[output])]
        history = windows.tokens[int(windows.window[row[output]])][: at + 1]
        ids = np.concatenate([history, event[:-1]])
        place = np.arange(len(ids))
        read_out = np.full(len(event), output)
        jobs.append(
            ReadingJob(
                ids=ids,
                position=place,
                branch=np.full(len(ids), -1),
                sees=place,
                read_at=at + np.arange(len(event)),
                read_token=event,
                read_out=read_out,
            )
        )
    return jobs


def _by_window(windows: Windows, row: IntArray, outputs: IntArray) -> Iterator[tuple[int, IntArray]]:
    """Each window and its outputs, in the order of their targets."""
    if not len(outputs):
        return
    window = windows.window[row[outputs]]
    order = np.lexsort((row[outputs], window))
    for group in np.split(order, np.flatnonzero(np.diff(window[order])) + 1):
        yield int(window[group[0]]), outputs[group]


def _batches(jobs: list[ReadingJob], limit: int, known: int) -> Iterator[list[ReadingJob]]:
    """Jobs of one kind and of similar length, as many as fit ``limit`` tokens, padding included. known: tokens of each
    that are read before."""
    for kind in (False, True):
        batch: list[ReadingJob] = []
        for job in sorted((job for job in jobs if job.has_branches is kind), key=lambda job: len(job.ids)):
            if batch and (len(batch) + 1) * (len(job.ids) - known) > limit:
                yield batch
                batch = []
            batch.append(job)
        if batch:
            yield batch
