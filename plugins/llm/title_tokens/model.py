"""The model behind ``llm-titles``, and its contract with the harness."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from peft import PeftModel
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from harness.features.history import History
from harness.model import Context, Model, take_states
from harness.panel import Panel
from harness.plugins.llm.base.content import base_content
from harness.plugins.llm.base.kept import is_kept, keep_base, kept_base
from harness.plugins.llm.base.open import OpenedBase
from harness.plugins.llm.base.opening import open_named
from harness.plugins.llm.params import options_of
from harness.plugins.llm.text.loader import context_length, weights_of
from harness.plugins.llm.text.pieces import PieceEncoder
from harness.plugins.llm.text.resume import titles
from harness.plugins.llm.title_tokens.layout import PieceCareers
from harness.plugins.llm.title_tokens.network import (
    PieceVectors,
    StartingConstants,
    TitleTokenNetwork,
    mean_vectors,
    output_rows,
    random_like,
)
from harness.plugins.llm.title_tokens.params import TitleTokenParams
from harness.plugins.llm.title_tokens.trainee import HeldOut, StepOptions, TitleTokenTrainee, log_rows
from harness.plugins.llm.tuning.memory import makes_again, pass_of_vectors
from harness.plugins.llm.tuning.precision import product_type, tuned_label
from harness.plugins.llm.tuning.tune import Adapters, add_adapters, require_gain, schedule_of
from harness.training.dropout import SeededDropout
from harness.training.libraries import silence_libraries
from harness.training.loop import train
from harness.types import FloatArray, IntArray

BASE, ADAPTER, FACTS, TABLES = "base", "adapter", "llm.json", "tokens.safetensors"
CONTENT, STRINGS, SEED = "content", "strings", "seed"  # in the facts' file, and there alone
TRAINED = (
    "own",
    "own_rows",
    "entering",
    "staying",
    "returning",
    "scale",
    "pointers",
)  # of the network, beside adapters
FEWEST = 0.1  # entries that a state counts for beside those it has in training
STRENGTH = 10.0  # transitions that the stays of all states count for beside those of each
CANDIDATES = 4.0  # states held before that a person could return to, about


class TitleTokenModel(Model):
    """P(next state | history) is a softmax over the states of what a language model says at the target's year."""

    def __init__(self, params: TitleTokenParams) -> None:
        self.params = params
        self._options = options_of(params)
        self._network: TitleTokenNetwork | None = None
        self._encoder: PieceEncoder | None = None
        self._careers: PieceCareers | None = None  # those last asked about
        self._table: torch.Tensor | None = None  # of their pieces
        self._strings: tuple[str, ...] = ()  # the pieces of training
        self._own_base: dict[str, Any] | None = None
        self._facts: dict[str, Any] = {}
        self._content: Mapping[str, str] = {}
        self._seed = 0

    def fit(self, train_panel: Panel, valid: Panel, context: Context) -> None:
        p = self.params
        base = self._begin(context)
        parameters = sum(x.numel() for x in base.model.parameters())
        trainee = self.trainee(base, (train_panel, valid), context)
        schedule = schedule_of(p, p.learning_rate, p.exchange, p.exchange_across)
        result = train(trainee, schedule, context, "tuning")
        require_gain(result, p.min_gain)
        ends = train_panel.offsets[1:].astype(np.int64) - 1
        self._facts = {
            "base": tuned_label(base.label, trainee.how.products),
            "parameters": parameters,
            "parameters_trained": sum(x.numel() for x in trainee.trained.values()),
            "tokens_a_record": p.tokens,
            "tokens_an_epoch": trainee.tokens,
            "records_dropped": int(trainee.careers.dropped(ends).sum()),
            "epochs": result.epochs,
            "best_epoch": result.best,
            "validation_loss": [round(loss, 6) for loss in result.validation],
        }

    def trainee(self, base: OpenedBase, panels: tuple[Panel, Panel], context: Context) -> TitleTokenTrainee:
        """The network before its first step, with the careers to train on and those held out."""
        p = self.params
        careers, held_out = (self._laid_out(panel, base.model) for panel in panels)
        self._strings = careers.strings
        network = self._start(base.model, careers, context.device)
        products = product_type(p.precision, context.device, p.base)
        again = makes_again(network.model, p, pass_of_vectors, scores=careers.n_states, products=products)
        return TitleTokenTrainee(
            network,
            careers=careers,
            held_out=HeldOut(careers=held_out, pieces=self._vectors(held_out)),
            params=p,
            how=StepOptions(products=products, again=again),
            context=context,
        )

    def log_prob(self, panel: Panel, transitions: IntArray, states: IntArray) -> FloatArray:
        network = self._fitted()
        if self._careers is None or self._careers.panel is not panel:
            self._careers = self._laid_out(panel, network.model)
            with torch.no_grad():
                self._table = network.table(self._vectors(self._careers))
        assert self._table is not None
        distinct, where = np.unique(transitions, return_inverse=True)
        rows = log_rows(network, self._careers, distinct.astype(np.int64), self._table)
        return take_states(rows[where.reshape(-1)], states)

    def unseen(self, panel: Panel, transitions: IntArray) -> IntArray | None:
        return self._laid_out(panel, self._fitted().model).dropped(transitions)

    def save(self, folder: Path) -> None:
        """The adapter as peft saves it, the tokens' vectors and the output layer, facts, and a base without a name."""
        network = self._fitted()
        if self._own_base is not None:
            config = network.model.get_base_model().config
            keep_base(folder / BASE, config, self._own_base, self._pieces().tokenizer)
        with silence_libraries():
            network.model.save_pretrained(folder / ADAPTER, safe_serialization=True, save_embedding_layers=False)
        save_file(_tables(network), folder / TABLES)
        kept = self._facts | {STRINGS: list(self._strings), CONTENT: dict(self._content), SEED: self._seed}
        (folder / FACTS).write_text(json.dumps(kept, indent=2, sort_keys=True) + "\n", encoding="utf-8")

    def load(self, folder: Path) -> None:
        kept = json.loads((folder / FACTS).read_text(encoding="utf-8"))
        self._strings, self._seed = tuple(kept.pop(STRINGS)), int(kept.pop(SEED))
        self._content, self._facts, self._careers = kept.pop(CONTENT), kept, None
        opened = kept_base(folder / BASE, self.params, self._content)
        self._encoder, base = PieceEncoder(opened.tokenizer), opened.model
        if is_kept(folder / BASE):
            self._own_base = {name: value.clone() for name, value in weights_of(base).items()}
        base = _drawn(base) if self.params.weights == "random" else base
        with silence_libraries():
            adapted: Any = PeftModel.from_pretrained(base, str(folder / ADAPTER))
        tables = load_file(folder / TABLES)
        pieces = self._known(self._words(base, self._strings), self._strings)
        self._network = TitleTokenNetwork(
            adapted.eval(),
            pieces,
            rows=tables["rows"],
            start=StartingConstants(entering=tables["entering"], staying=tables["staying"], returning=0.0),
            dropout=0.0,
            seeded=SeededDropout(),
        )
        with torch.no_grad():
            for name in TRAINED:
                getattr(self._network, name).copy_(tables[name])
        self._network.eval()

    def facts(self) -> Mapping[str, Any]:
        """The base's name as boards show it, parameters in all and trained, tokens, how the tuning went."""
        return self._facts

    def _begin(self, context: Context) -> OpenedBase:
        """Forget an earlier fit and open the base."""
        p = self.params
        self._seed, self._careers, self._own_base = context.seed, None, None
        self._content = {} if p.base == "builtin" else base_content(p)
        base = open_named(p, context)
        self._encoder = PieceEncoder(base.tokenizer)
        if p.base == "builtin":
            self._own_base = {name: value.clone() for name, value in weights_of(base.model).items()}
        if p.weights == "random":
            label = f"{base.label}, random weights"
            return OpenedBase(model=_drawn(base.model), tokenizer=base.tokenizer, label=label)
        return base

    def _start(self, model: Any, careers: PieceCareers, device: str) -> TitleTokenNetwork:
        """The network before training: drawn on the processor, so that a seed is the same on every device."""
        p, pieces, panel = self.params, self._pieces(), careers.panel
        words = self._words(model, careers.strings)
        rows = output_rows(model, titles(panel.occupations, self._options), pieces)
        if p.start == "random":
            rows = random_like(rows, [f"row{title}" for title in titles(panel.occupations, self._options)], self._seed)
        adapted = add_adapters(model, Adapters(p.rank, p.alpha, p.dropout, embeddings=False), self._seed)
        known = self._known(words, careers.strings)
        start, dropout = _start_of(panel), p.hidden_dropout
        network = TitleTokenNetwork(adapted, known, rows=rows, start=start, dropout=dropout, seeded=SeededDropout())
        self._network = network.to(device)
        network.pieces = known.to(device)
        return network

    def _words(self, model: Any, strings: tuple[str, ...]) -> torch.Tensor:
        words = mean_vectors(model.get_input_embeddings(), strings, self._pieces())
        return random_like(words, strings, self._seed) if self.params.start == "random" else words

    def _known(self, words: torch.Tensor, strings: tuple[str, ...]) -> PieceVectors:
        number = {string: i for i, string in enumerate(self._strings) if i}
        known = np.array([number.get(string, 0) for string in strings], dtype=np.int64)
        known[0] = 0
        return PieceVectors(words=words, known=torch.from_numpy(known).to(words.device))

    def _vectors(self, careers: PieceCareers) -> PieceVectors:
        """Of any careers; a piece that was not trained on is the mean of its words."""
        network = self._fitted()
        return self._known(self._words(network.model, careers.strings), careers.strings)

    def _laid_out(self, panel: Panel, model: Any) -> PieceCareers:
        context = min(context_length(model), self.params.max_context or 2**31)
        return PieceCareers(panel, self.params.tokens, context, self._options)

    def _pieces(self) -> PieceEncoder:
        if self._encoder is None:
            raise AssertionError("the model is asked before it is fitted or loaded")
        return self._encoder

    def _fitted(self) -> TitleTokenNetwork:
        if self._network is None:
            raise AssertionError("the model is asked before it is fitted or loaded")
        return self._network


def _start_of(panel: Panel) -> StartingConstants:
    """Entries, stays and returns as they are counted in training."""
    target = panel.transitions
    state, origin = panel.state[target], panel.origin(target)
    stays, back = state == origin, ~History(panel).by_state.is_first[target]
    entered = np.bincount(state[~stays], minlength=panel.n_states) + FEWEST
    at_risk, stayed = (np.bincount(origin[some], minlength=panel.n_states) for some in (slice(None), stays))
    share = (stayed + STRENGTH * stays.mean()) / (at_risk + STRENGTH) if len(target) else np.full(panel.n_states, 0.5)
    returned, new = int((~stays & back).sum()) + 1, int((~stays & ~back).sum()) + 1
    return StartingConstants(
        entering=torch.from_numpy(np.log(entered / entered.sum()).astype(np.float32)),
        staying=torch.from_numpy(np.log(share / (1 - share)).astype(np.float32)),
        returning=float(np.log(returned / new / CANDIDATES)),
    )


def _tables(network: TitleTokenNetwork) -> dict[str, torch.Tensor]:
    found = {name: getattr(network, name).detach().cpu() for name in TRAINED}
    return found | {"rows": network.rows.cpu()}


def _drawn(model: Any) -> Any:
    """A model of the same architecture with random weights, the same whenever it is asked for."""
    with torch.random.fork_rng(), silence_libraries():
        torch.manual_seed(0)
        drawn: Any = AutoModelForCausalLM
        return drawn.from_config(model.config, dtype=torch.float32)
