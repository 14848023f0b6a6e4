"""llm-lora: ln P(title) by the chain rule; branches against one sequence a choice; what a row adds up to."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from helpers.tiny_llm import fast_tokenizer, tiny_llm

from harness.panel.careers import Covariate, Panel
from harness.panel.occupations import Occupations, Status
from harness.plugins.llm.base.pretrain import train_tokenizer
from harness.plugins.llm.scoring import branches as score
from harness.plugins.llm.scoring.branches import Scorer
from harness.plugins.llm.text.pieces import PieceEncoder
from harness.plugins.llm.text.tokens import Resumes
from harness.tasks import lf_exit, next_occ, switch

TITLES = (
    "Nurses",
    "Nurses and midwives",  # begun by another title
    "Nursing aides",
    "Retail cashiers",
    "Software developers, systems and applications",
    "Unemployed",
    "Out of the labor force",
)
ARCHITECTURES = ["Llama", "GPT2", "Qwen2"]


def careers(lengths: list[int], seed: int = 0) -> Panel:
    """Random careers of these lengths, with gaps between the years, education that changes and a missing birth year."""
    rng = np.random.default_rng(seed)
    n = sum(lengths)
    person = np.repeat(np.arange(len(lengths)), lengths)
    start = np.cumsum(lengths) - lengths
    steps = rng.integers(1, 4, n)
    year = 1995 + np.cumsum(steps) - np.cumsum(steps)[start][person]
    birth = rng.integers(1970, 1980, len(lengths)).astype(float)
    birth[0] = np.nan
    return Panel(
        name="random",
        persons=np.array([f"p{i}" for i in range(len(lengths))]),
        offsets=np.concatenate([[0], np.cumsum(lengths)]),
        year=year,
        state=rng.integers(0, len(TITLES), n),
        occupations=Occupations(
            codes=tuple(str(k) for k in range(len(TITLES))),
            titles=TITLES,
            groups=tuple("ab"[k % 2] for k in range(len(TITLES))),
            statuses=(Status.EMPLOYED,) * 5 + (Status.UNEMPLOYED, Status.OUT),
        ),
        split=np.zeros(len(lengths), np.int8),
        covariates={
            "birth_year": Covariate("numeric", birth[person], fixed=True),
            "education": Covariate("categorical", np.sort(rng.integers(-1, 2, n)), ("high school", "bachelor")),
        },
    )


@pytest.fixture(autouse=True)
def few_threads() -> Iterator[None]:
    """Matrices this small go faster on one thread."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def panel() -> Panel:
    return careers([4, 1, 6, 2])


@pytest.fixture(scope="module")
def tokenizer(panel: Panel) -> Any:
    return train_tokenizer(panel, 300, 512)


def by_hand(model: Any, tokenizer: Any, panel: Panel, target: int, state: int, first: int | None = None) -> float:
    """ln P(title, delimiter | resume up to the target's line head), from a plain forward pass for this choice alone.

    first: the record at which the resume begins, the career's first if None.
    """
    from harness.plugins.llm.text.resume import resume_text

    def ids(text: str) -> list[int]:
        return tokenizer(text, add_special_tokens=False)["input_ids"] if text else []

    text = resume_text(panel)
    person = panel.person[target]
    first = panel.offsets[person] if first is None else first
    sequence = [tokenizer.bos_token_id, *ids(text.headers.strings[text.headers.index[person]])]
    for record in range(first, target + 1):
        heads = text.full_heads if record == first else text.heads
        sequence += ids(heads.strings[heads.index[record]])
        if record < target:
            sequence += ids(text.titles[panel.state[record]]) + ids("\n")
    event = ids(text.titles[state]) + ids("\n")
    with torch.no_grad():
        logits = model(torch.tensor([sequence + event])).logits[0].double()
    before = range(len(sequence) - 1, len(sequence) + len(event) - 1)
    return sum(float(logits[at].log_softmax(-1)[token]) for at, token in zip(before, event, strict=True))


def everything(panel: Panel) -> tuple[np.ndarray, np.ndarray]:
    """All records as targets, and all states asked of each."""
    targets = np.arange(panel.n_records)
    return targets, np.broadcast_to(np.arange(panel.n_states), (len(targets), panel.n_states))


def rows_through(module: Any) -> list[int]:
    """A list that grows by how many rows of tokens or hidden states pass through the module at every call."""
    seen: list[int] = []

    def count(_: Any, given: tuple[torch.Tensor, ...]) -> None:
        shape = given[0].shape
        seen.append(given[0].numel() // (shape[-1] if given[0].is_floating_point() else 1))

    module.register_forward_pre_hook(count)
    return seen


@pytest.mark.parametrize("name", ["next_occ", "switch", "lf_exit"])
def test_a_task_pays_for_the_titles_it_asks_about(name: str, panel: Panel, tokenizer: Any) -> None:
    """The observed title costs no token beside the career's; any other the career once more and its own tokens."""
    task = {task.name: task for task in (next_occ.TASK, switch.TASK, lf_exit.TASK)}[name]
    transitions = task.transitions(panel)
    states = task.partition.ask(panel, transitions)
    resumes = Resumes(panel, PieceEncoder(tokenizer), 512)
    model = tiny_llm("Llama", len(tokenizer))
    scorer = Scorer(model, 0)
    scorer.log_prob(resumes, transitions, states)  # what is tried once is tried here
    through_model, through_head = (
        rows_through(model.get_input_embeddings()),
        rows_through(model.get_output_embeddings()),
    )
    for person in np.unique(panel.person[transitions]):  # one at a time, so that nothing is padded
        scorer.log_prob(
            resumes, transitions[panel.person[transitions] == person], states[panel.person[transitions] == person]
        )
    other = states != panel.state[transitions][:, None]
    length = resumes.events.lengths
    branches = int((length[states[other]] - 1).sum())
    careers_read = resumes.windows(transitions).tokens.offsets[-1] * (1 + bool(branches))
    assert 0 < sum(through_model) <= careers_read + branches
    assert sum(through_head) <= length[states].sum()
    if name == "next_occ":
        assert sum(through_model) == careers_read
        assert sum(through_head) == length[states].sum()


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_choice_has_the_probability_of_its_tokens_and_delimiter(
    architecture: str, panel: Panel, tokenizer: Any
) -> None:
    """First records, one-record careers and years after a gap included."""
    model = tiny_llm(architecture, len(tokenizer))
    scorer = Scorer(model, 0)
    resumes = Resumes(panel, PieceEncoder(tokenizer), 512)
    targets, states = everything(panel)
    rows = scorer.log_prob(resumes, targets, states)
    assert scorer.branches_exact()
    assert rows.dtype == np.float32
    expected = [[by_hand(model, tokenizer, panel, t, k) for k in range(panel.n_states)] for t in targets]
    np.testing.assert_allclose(rows, expected, atol=1e-4)
    assert np.ptp(rows, axis=0).max() > 0.5  # the history matters to this model


def test_titles_asked_few_or_all_at_once_cost_the_same(
    panel: Panel, tokenizer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    scorer = Scorer(tiny_llm("Llama", len(tokenizer)), 0)
    resumes = Resumes(panel, PieceEncoder(tokenizer), 512)
    targets, states = everything(panel)
    rows = scorer.log_prob(resumes, targets, states)
    order = np.random.default_rng(0).permutation(len(targets))
    few = scorer.log_prob(resumes, targets[order], states[order][:, [6, 2]])
    np.testing.assert_allclose(few, rows[order][:, [6, 2]], atol=1e-5)
    observed = scorer.log_prob(resumes, targets, panel.state[:, None])[:, 0]
    np.testing.assert_allclose(observed, rows[targets, panel.state], atol=1e-5)
    twice = scorer.log_prob(resumes, np.array([3, 3, 2]), np.array([[1, 1], [0, 1], [5, 5]]))
    np.testing.assert_allclose(twice, [rows[3, [1, 1]], rows[3, [0, 1]], rows[2, [5, 5]]], atol=1e-5)
    monkeypatch.setattr(score, "BRANCH_TOKENS", 7)  # every resume needs many sequences
    monkeypatch.setattr(score, "CPU_TOKENS", 60)  # a batch holds a sequence or two
    np.testing.assert_allclose(scorer.log_prob(resumes, targets, states), rows, atol=1e-5)


def test_a_career_is_scored_alike_in_any_company(tokenizer: Any) -> None:
    """The padding of a shorter resume to the length of its neighbours changes nothing."""
    panel = careers([2, 12, 4, 1])
    scorer = Scorer(tiny_llm("Llama", len(tokenizer)), 0)
    together = scorer.log_prob(Resumes(panel, PieceEncoder(tokenizer), 512), *everything(panel))
    for person in range(panel.n_persons):
        alone = panel.select(np.array([person]))
        rows = scorer.log_prob(Resumes(alone, PieceEncoder(tokenizer), 512), *everything(alone))
        np.testing.assert_allclose(rows, together[panel.person == person], atol=1e-5)


def test_without_masks_a_model_is_asked_choice_by_choice(panel: Panel, tokenizer: Any) -> None:
    class Unmasked(torch.nn.Module):
        """Reads plain sequences well, and pays no heed to masks and positions."""

        def __init__(self) -> None:
            super().__init__()
            self.inner = tiny_llm("Llama", len(tokenizer))

        def get_input_embeddings(self) -> Any:
            return self.inner.get_input_embeddings()

        def forward(self, input_ids: Any, use_cache: bool, attention_mask: Any = None, position_ids: Any = None) -> Any:
            return self.inner(input_ids=input_ids, use_cache=use_cache)

    resumes = Resumes(panel, PieceEncoder(tokenizer), 512)
    stubborn = Scorer(Unmasked().eval(), 0)
    assert not stubborn.branches_exact()
    expected = Scorer(tiny_llm("Llama", len(tokenizer)), 0).log_prob(resumes, *everything(panel))
    np.testing.assert_allclose(stubborn.log_prob(resumes, *everything(panel)), expected, atol=1e-5)


def test_what_is_too_old_for_the_context_is_not_seen(tokenizer: Any) -> None:
    """A target whose history is too long is scored as if the career began later."""
    panel = careers([14, 3])
    model = tiny_llm("GPT2", len(tokenizer), context=110)
    resumes = Resumes(panel, PieceEncoder(tokenizer), 110)
    targets, states = everything(panel)
    first = resumes.first_records(targets)
    assert (first[:3] == 0).all()
    assert first[13] > 3
    rows = Scorer(model, 0).log_prob(resumes, targets, states)
    for target in (0, 8, 13, 16):
        expected = [by_hand(model, tokenizer, panel, target, k, int(first[target])) for k in range(panel.n_states)]
        np.testing.assert_allclose(rows[target], expected, atol=1e-4)


def test_a_row_and_what_it_leaves_out_add_up_to_one() -> None:
    """Every text of one or two of the words "a" and "b" is a title; the rest of the mass is counted text by text."""
    from tokenizers import Tokenizer, models, pre_tokenizers

    vocabulary = ["<pad>", "<s>", "2000:", "2001:", "a", "b", "c", "\n"]
    words = Tokenizer(models.WordLevel({word: i for i, word in enumerate(vocabulary)}, unk_token="<pad>"))
    words.pre_tokenizer = pre_tokenizers.Split(" ", "removed")
    tokenizer: Any = fast_tokenizer(words, bos_token="<s>", pad_token="<pad>")
    titles = tuple(" ".join(t) for n in (1, 2) for t in itertools.product("ab", repeat=n))
    k = len(titles)
    panel = Panel(
        name="toy",
        persons=np.array(["p"]),
        offsets=np.array([0, 2]),
        year=np.array([2000, 2001]),
        state=np.array([3, 1]),
        occupations=Occupations(titles, titles, ("g",) * k, (Status.EMPLOYED,) * k),
        split=np.zeros(1, np.int8),
    )
    model = tiny_llm("Llama", len(vocabulary), scale=0.1)
    resumes = Resumes(panel, PieceEncoder(tokenizer), 512)
    row = np.exp(Scorer(model, 0).log_prob(resumes, np.array([1]), np.arange(k)[None])[0].astype(np.float64))
    a, b, end = (vocabulary.index(word) for word in ("a", "b", "\n"))
    history = [1, vocabulary.index("2000:"), a, b, end, vocabulary.index("2001:")]
    assert list(resumes.windows(np.array([1])).tokens[0][:6]) == history

    def following(*tokens: int) -> np.ndarray:
        with torch.no_grad():
            logits = model(torch.tensor([[*history, *tokens]])).logits[0, -1].double()
        return np.asarray(logits.softmax(-1))

    outside = 1 - following()[[a, b]].sum()  # no title begins so: "c", a year, an empty line, ...
    for one in (a, b):
        outside += following()[one] * (1 - following(one)[[a, b, end]].sum())
        for two in (a, b):
            outside += following()[one] * following(one)[two] * (1 - following(one, two)[end])
    assert 0.01 < outside < 0.99
    np.testing.assert_allclose(row.sum() + outside, 1.0, atol=1e-5)
