"""ln P of every title after a history: lm-evaluation-harness against the ways of this project, one model, one process.

Run with ``-s`` to see the tables. Seconds are per transition. Only the ratios within one run say something; processor
time stands beside wall time because machines are shared. The peer, and scoring one choice a sequence, see one of the
twenty transitions, that of median history length. The peer runs with one thread too: two that wait for each other on
a busy machine burn processor time that is not work.
"""

from __future__ import annotations

import ctypes
import gc
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture

from harness.data.sources import open_panel
from harness.model import Context
from harness.panel import Panel
from harness.plugins.llm.base import Recipe, pretrain
from harness.plugins.llm.choice import whole_rows
from harness.plugins.llm.pruning import certified
from harness.plugins.llm.score import Scorer
from harness.plugins.llm.text import resume_text
from harness.plugins.llm.tokens import Resumes, encode_titles
from harness.plugins.llm.trie import Trie

pytestmark = [pytest.mark.slow, pytest.mark.survey]
CAREERS, TRANSITIONS, CONTEXT, PAD, THREADS = 5, 4, 2048, 0, 2  # transitions of each career
PEERS = tuple((batch, threads) for batch in (4, 32) for threads in (1, 2))
TRAINED_TOKENS = 500_000


@dataclass
class Cost:
    """Of one method. wall, cpu: seconds per transition; memory: MB at the peak over the start; rows: its answer."""

    wall: float
    cpu: float
    memory: float
    rows: np.ndarray


@dataclass
class Study:
    """The model, the tokenizer, five careers and twenty transitions of their later halves; what each method cost."""

    model: Any
    tokenizer: Any
    panel: Panel
    targets: np.ndarray
    few: np.ndarray  # positions in ``targets``
    costs: dict[str, Cost] = field(default_factory=dict)

    def resumes(self) -> Resumes:
        return Resumes(self.panel, self.tokenizer, encode_titles(self.tokenizer, self.panel.occupations), CONTEXT)

    @property
    def observed(self) -> np.ndarray:
        return self.panel.state[self.targets].astype(np.int64)[:, None]

    def every_state(self, n: int) -> np.ndarray:
        return np.broadcast_to(np.arange(self.panel.n_states), (n, self.panel.n_states))


def byte_level_bpe(panel: Panel) -> Any:
    """GPT-2's kind of tokenizer, trained on the resumes until no pair of tokens is left to merge."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    text = resume_text(panel)
    lines = [*text.headers.strings, *text.heads.strings, *text.titles]
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=2415, special_tokens=["<pad>", "<s>"], show_progress=False)
    trainer.initial_alphabet = pre_tokenizers.ByteLevel.alphabet()
    tokenizer.train_from_iterator(lines, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", pad_token="<pad>", model_max_length=CONTEXT
    )


def llama(vocabulary: int, layers: int = 6, width: int = 256) -> Any:
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=width,
        intermediate_size=round(width * 8 / 3 / 32) * 32,
        num_hidden_layers=layers,
        num_attention_heads=width // 64,
        max_position_embeddings=CONTEXT,
        bos_token_id=1,
        eos_token_id=None,
        pad_token_id=PAD,
    )
    return LlamaForCausalLM(config).eval()


@pytest.fixture(scope="module")
def survey() -> Panel:
    folder = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "nlsy97"
    if not folder.is_dir():
        pytest.skip("the survey extract is not on this machine")
    return open_panel(str(folder))


@pytest.fixture(scope="module")
def study(survey: Panel) -> Iterator[Study]:
    threads = torch.get_num_threads()
    torch.set_num_threads(THREADS)
    tokenizer = byte_level_bpe(survey)
    test = survey.part("test")
    long = np.flatnonzero(np.diff(test.offsets) >= 20)
    panel = test.select(long[:: len(long) // CAREERS][:CAREERS])
    bounds = zip(panel.offsets[:-1], panel.offsets[1:], strict=True)
    spread = [np.linspace((first + stop) // 2, stop - 1, TRANSITIONS).astype(int) for first, stop in bounds]
    targets = np.concatenate(spread)
    study = Study(llama(len(tokenizer)), tokenizer, panel, targets, np.zeros(0, int))
    order = np.argsort(study.resumes().windows(targets).at)
    study.few = order[[len(order) // 2]]
    yield study
    torch.set_num_threads(threads)


def measured(ask: Callable[[], np.ndarray], transitions: int) -> Cost:
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)  # memory that earlier methods freed is not there for this one to use unseen
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
    start = resident("VmRSS")
    wall, cpu = time.perf_counter(), time.process_time()
    rows = ask()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return Cost(wall / transitions, cpu / transitions, (resident("VmHWM") - start) / 1024, rows)


def say(line: str) -> None:
    sys.stderr.write(line + "\n")


def resident(name: str) -> int:
    """Kilobytes, Linux."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith(name)))


def lm_eval_log_prob(study: Study, rows: np.ndarray, states: np.ndarray, peer: tuple[int, int]) -> np.ndarray:
    """What a user of lm-evaluation-harness does: a request for each choice, prompt and title as text."""
    from lm_eval.api.instance import Instance
    from lm_eval.models.huggingface import HFLM

    resumes = study.resumes()
    windows, titles = resumes.windows(study.targets), resume_text(study.panel).titles
    torch.set_num_threads(peer[1])
    lm = HFLM(pretrained=study.model, tokenizer=study.tokenizer, batch_size=peer[0], max_length=CONTEXT, device="cpu")
    requests = []
    for i, asked in zip(rows, states, strict=True):
        history = windows.tokens[windows.window[i]][: windows.at[i] + 1]
        prompt = study.tokenizer.decode(history, clean_up_tokenization_spaces=False)
        requests += [Instance("loglikelihood", {}, (prompt, f"{titles[k]}\n"), 0) for k in asked]
    answers = lm.loglikelihood(requests, disable_tqdm=True)
    torch.set_num_threads(THREADS)
    return np.array([value for value, _ in answers]).reshape(states.shape)


def record(study: Study, benchmark: BenchmarkFixture, name: str, ask: Callable[[], np.ndarray], n: int) -> Cost:
    cost = benchmark.pedantic(measured, args=(ask, n), rounds=1)
    study.costs[name] = cost
    benchmark.extra_info.update({"s": cost.wall, "CPU s": cost.cpu, "peak MB over start": cost.memory})
    say(f"\n{name}: {cost.wall:.4f} s, {cost.cpu:.4f} CPU s a transition, {cost.memory:.0f} MB over start")
    return cost


@pytest.mark.benchmark(group="every title")
@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: "batch {} threads {}".format(*peer))
def test_lm_eval(study: Study, benchmark: BenchmarkFixture, peer: tuple[int, int]) -> None:
    pytest.importorskip("lm_eval")
    few, states = study.few, study.every_state(len(study.few))
    at = study.resumes().windows(study.targets).at + 1
    say(f"\ntokens before: {at[few].mean():.0f} here, {at.mean():.0f} in the mean of all transitions")
    record(study, benchmark, peer_name(peer), lambda: lm_eval_log_prob(study, few, states, peer), len(few))


def peer_name(peer: tuple[int, int]) -> str:
    return "lm-eval, batch {}, threads {}".format(*peer)


def one_choice_a_sequence(study: Study) -> np.ndarray:
    scorer = Scorer(study.model, PAD)
    scorer._branches_exact = False
    return scorer.log_prob(study.resumes(), study.targets[study.few], study.every_state(len(study.few)))


METHODS: dict[str, tuple[Callable[[Study], np.ndarray], bool]] = {
    "one choice a sequence": (one_choice_a_sequence, True),
    "branches": (
        lambda s: Scorer(s.model, PAD).log_prob(s.resumes(), s.targets, s.every_state(len(s.targets))),
        False,
    ),
    "trie": (lambda s: whole_rows(s.model, PAD, s.resumes(), s.targets), False),
}


@pytest.mark.benchmark(group="every title")
@pytest.mark.parametrize("name", METHODS)
def test_every_title(study: Study, benchmark: BenchmarkFixture, name: str) -> None:
    ask, only_few = METHODS[name]
    cost = record(study, benchmark, name, lambda: ask(study), len(study.few) if only_few else len(study.targets))
    rows = cost.rows if only_few else cost.rows[study.few]
    peers = [study.costs[name] for name in map(peer_name, PEERS) if name in study.costs]
    for peer in peers:
        difference = float(np.abs(rows - peer.rows).max())
        benchmark.extra_info["largest difference from lm-eval"] = difference
        say(f"largest difference from lm-eval: {difference:.1e} nats")
        assert difference < 1e-4
    if peers:
        best = min(peers, key=lambda peer: peer.wall), min(peers, key=lambda peer: peer.cpu)
        ratios = best[0].wall / cost.wall, best[1].cpu / cost.cpu
        benchmark.extra_info["times lm-eval, wall and CPU"] = ratios
        say(f"{ratios[0]:.1f} times lm-eval at its best batch by the clock, {ratios[1]:.1f} in processor time")
        if name == "trie":
            assert ratios[1] >= 20  # the gain grows with the history: 30 takes about 180 tokens of it
            assert cost.memory < max(peer.memory for peer in peers)


@pytest.mark.benchmark(group="observed titles")
def test_observed_titles(study: Study, benchmark: BenchmarkFixture) -> None:
    pytest.importorskip("lm_eval")
    study = replace(study, targets=study.panel.transitions)  # as a task asks for them: one pass a career serves all
    pairs, scorer = np.arange(len(study.targets)), Scorer(study.model, PAD)

    def ours() -> np.ndarray:
        return np.concatenate([scorer.log_prob(study.resumes(), study.targets, study.observed) for _ in range(10)])

    peers = [
        measured(lambda peer=peer: lm_eval_log_prob(study, pairs, study.observed, peer), len(pairs)) for peer in PEERS
    ]
    cost = record(study, benchmark, "observed", ours, 10 * len(pairs))
    ratios = min(p.wall for p in peers) / cost.wall, min(p.cpu for p in peers) / cost.cpu
    difference = np.abs(cost.rows[: len(pairs)] - peers[0].rows).max()
    say(f"lm-eval for the same pairs: {min(p.wall for p in peers):.4f} s, {min(p.cpu for p in peers):.4f} CPU s")
    say(f"{ratios[0]:.1f} times by the clock, {ratios[1]:.1f} in processor time; largest difference {difference:.1e}")
    assert difference < 1e-4
    assert max(ratios) >= 10


@pytest.fixture(scope="module")
def trained(study: Study, survey: Panel, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A model of the builtin base's size that has read some of the training careers."""
    recipe = Recipe("survey", 4, 192, 3, len(study.tokenizer), CONTEXT, TRAINED_TOKENS, 2048, 3e-3)
    folder = tmp_path_factory.mktemp("trained")
    return pretrain(recipe, survey.part("train"), study.tokenizer, Context(0, folder, folder)).eval()


@pytest.mark.benchmark(group="normaliser of a trained model")
@pytest.mark.parametrize("tolerance", [None, 1e-4, 1e-3, 1e-2, 1e-1])
def test_certified(study: Study, trained: Any, benchmark: BenchmarkFixture, tolerance: float | None) -> None:
    resumes, targets = study.resumes(), study.targets
    if tolerance is None:
        record(study, benchmark, "trained", lambda: whole_rows(trained, PAD, resumes, targets), len(targets))
        return
    answers = []

    def ask() -> np.ndarray:
        answers.append(certified((trained, PAD), resumes, targets, study.observed, tolerance))
        return answers[0].renormalised

    cost = record(study, benchmark, f"certified {tolerance:g}", ask, len(targets))
    exact = study.costs["trained"]
    mass = np.exp(exact.rows.astype(np.float64)).sum(axis=1)
    low, high = answers[0].log_mass
    say(
        f"{answers[0].read.mean():.0f} of {len(Trie.of(resumes.events).inner)} nodes; {exact.cpu / cost.cpu:.1f} times "
        f"the exact trie; ln Z low by {(np.log(mass) - low).mean():.1e}, at most {(np.log(mass) - low).max():.1e}; "
        f"mass of titles {mass.mean():.4f}, least {mass.min():.4f}"
    )
    assert (low <= np.log(mass) + 1e-4).all()
    assert (np.log(mass) <= high + 1e-4).all()


@pytest.mark.benchmark(group="growth")
def test_growth(study: Study, benchmark: BenchmarkFixture) -> None:
    """Cost of the exact rows with the number of titles, the length of the history and the size of the model."""
    panel, position = study.panel, study.targets.reshape(CAREERS, TRANSITIONS)
    lines = ["titles  nodes  tokens before  model     CPU s a transition"]

    def line(titles: int, column: int, layers: int, width: int) -> None:
        events = encode_titles(study.tokenizer, panel.occupations)
        occur = np.unique(panel.state)  # must be among them
        some = np.sort(np.append(occur, np.setdiff1d(np.arange(panel.n_states), occur)[: titles - len(occur)]))
        part = restricted(panel, some)
        resumes = Resumes(part, study.tokenizer, events.gather(some), CONTEXT)
        model = study.model if (layers, width) == (6, 256) else llama(len(study.tokenizer), layers, width)
        targets = position[:, column]
        cost = measured(lambda: whole_rows(model, PAD, resumes, targets), len(targets))
        before = resumes.windows(targets).at.mean() + 1
        nodes = len(Trie.of(resumes.events).inner)
        lines.append(f"{len(some):6d} {nodes:6d} {before:14.0f}  {layers} x {width:<5d} {cost.cpu:8.3f}")

    def table() -> None:
        for titles in (120, 240, panel.n_states):
            line(titles, TRANSITIONS - 1, 6, 256)
        for column in range(TRANSITIONS):
            line(panel.n_states, column, 6, 256)
        for layers, width in ((2, 128), (4, 192), (6, 256), (8, 384)):
            line(panel.n_states, TRANSITIONS - 1, layers, width)

    benchmark.pedantic(table, rounds=1)
    say("\n" + "\n".join(lines))


def restricted(panel: Panel, states: np.ndarray) -> Panel:
    """The panel with only these states, all that occur in it among them."""
    occupations = panel.occupations
    columns = {
        name: tuple(getattr(occupations, name)[k] for k in states) for name in ("codes", "titles", "groups", "statuses")
    }
    return replace(panel, occupations=replace(occupations, **columns), state=np.searchsorted(states, panel.state))
