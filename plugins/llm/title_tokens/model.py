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

from harness.features.encoding import Encoding
from harness.features.frequencies import entry_shares
from harness.features.selection import Given, names_of
from harness.model import Context, Model, take_states
from harness.model.soft_targets import soft_targets, teacher_facts
from harness.network.head import Start
from harness.network.likeness import likeness_of
from harness.network.start import start_of
from harness.network.titles import title_vectors
from harness.network.transitions import TransitionTable
from harness.panel import Panel
from harness.plugins.llm.base.content import base_content
from harness.plugins.llm.base.kept import is_kept, keep_base, kept_base
from harness.plugins.llm.base.open import OpenedBase
from harness.plugins.llm.base.opening import open_named
from harness.plugins.llm.params import options_of
from harness.plugins.llm.text.loader import context_length, weights_of
from harness.plugins.llm.text.pieces import PieceEncoder
from harness.plugins.llm.text.resume import titles
from harness.plugins.llm.title_tokens.head_trainee import train_head
from harness.plugins.llm.title_tokens.layout import PieceCareers
from harness.plugins.llm.title_tokens.network import (
    GROUPS,
    LIKENESS,
    HeadPlan,
    PieceVectors,
    TitleTokenNetwork,
    mean_vectors,
    random_like,
)
from harness.plugins.llm.title_tokens.params import TitleTokenParams, schedule_of
from harness.plugins.llm.title_tokens.reader import TitleCareers, log_rows
from harness.plugins.llm.title_tokens.trainee import StepOptions, TitleTokenTrainee
from harness.plugins.llm.tuning.compiled import require_compiler, require_kept
from harness.plugins.llm.tuning.memory import makes_again, pass_of_vectors
from harness.plugins.llm.tuning.precision import product_type, tuned_label
from harness.plugins.llm.tuning.tune import Adapters, add_adapters, require_gain
from harness.training.libraries import silence_libraries
from harness.training.loop import train
from harness.types import FloatArray, IntArray

BASE, ADAPTER, FACTS, OWN, ENTRY = "base", "adapter", "llm.json", "network.safetensors", "entry.npz"
CONTENT, STRINGS, SEED, ENCODING = "content", "strings", "seed", "encoding"  # in the facts' file, and there alone
GAIN = 0.02  # nats a transition that a tuning must bring


class TitleTokenModel(Model):
    """P(next state | history): what a language model, tenure and recall say at the target's year.

    A first record, which has no history, has the shares of all.
    """

    def __init__(self, params: TitleTokenParams) -> None:
        self.params = params
        self._options = options_of(params)
        self._network: TitleTokenNetwork | None = None  # None where there was nothing to learn
        self._encoder: PieceEncoder | None = None
        self._encoding = Encoding([])
        self._entry: FloatArray = np.zeros(0)  # [K], ln P(state of a first record)
        self._careers: TitleCareers | None = None  # those last asked about
        self._strings: tuple[str, ...] = ()  # the pieces of training
        self._own_base: dict[str, Any] | None = None
        self._facts: dict[str, Any] = {}
        self._content: Mapping[str, str] = {}
        self._seed = 0

    def fit(self, train_panel: Panel, valid: Panel, context: Context) -> None:
        p = self.params
        if p.compiled:  # before the minutes of a base and of the head
            require_compiler(context.device)
        base = self._begin(train_panel, context)
        parameters = sum(x.numel() for x in base.model.parameters())
        self._facts = {"base": base.label, "parameters": parameters, "parameters_trained": train_panel.n_states}
        if train_panel.n_states == 1 or not len(train_panel.transitions):
            return
        trainee = self.trainee(base, (train_panel, valid), context)
        alone = train_head(trainee).validation if p.head_epochs else ()
        result = train(trainee, schedule_of(p), context, "tuning")
        require_gain(result, GAIN)
        self._facts = {
            "base": tuned_label(base.label, trainee.how.products),
            "parameters": parameters,
            "parameters_trained": sum(x.numel() for x in trainee.trained.values()),
            "tokens_a_record": p.tokens,
            "tokens_an_epoch": trainee.tokens,
            "records_dropped": int(trainee.careers.pieces.dropped(_ends(train_panel)).sum()),
            "epochs": result.epochs,
            "best_epoch": result.best,
            "validation_loss_of_head": [round(loss, 6) for loss in alone],
            "validation_loss": [round(loss, 6) for loss in result.validation],
            **teacher_facts(trainee.careers.transitions.taught),
        }

    def trainee(self, base: OpenedBase, panels: tuple[Panel, Panel], context: Context) -> TitleTokenTrainee:
        """The network before its first step, with the careers to train on and those held out."""
        p, train_panel = self.params, panels[0]
        taught = soft_targets(p, *panels, context)
        given: Given = "history" if p.history == "given" else "covariates"
        self._encoding = Encoding.fit(train_panel, names_of(train_panel, given))
        pieces = self._laid_out(train_panel, base.model)
        self._strings = pieces.strings
        self._network = network = self._start(base.model, pieces, context.device)
        products = product_type(p.precision, context.device, p.base)
        again = makes_again(network.model, p, pass_of_vectors, scores=train_panel.n_states, products=products)
        if p.compiled:
            require_kept(again)
        careers, held_out = (self._read(panel, network) for panel in panels)
        return TitleTokenTrainee(
            network,
            careers=careers.taught(taught),
            held_out=held_out,
            params=p,
            # A head that has learned by itself would begin to doubt what it knows, were occupations exchanged again.
            how=StepOptions(products=products, again=again, exchanged=p.head_epochs == 0),
            context=context,
        )

    def log_prob(self, panel: Panel, transitions: IntArray, states: IntArray) -> FloatArray:
        rows = np.empty((len(transitions), panel.n_states), dtype=np.float32)
        is_entry = panel.origin(transitions) < 0
        rows[is_entry if self._network is not None else slice(None)] = self._entry
        if self._network is not None and not is_entry.all():
            if self._careers is None or self._careers.panel is not panel:
                self._careers = self._read(panel, self._network)
            distinct, where = np.unique(transitions[~is_entry], return_inverse=True)
            found = log_rows(self._network, self._careers, distinct.astype(np.int64))
            rows[~is_entry] = found[where.reshape(-1)]
        return take_states(np.minimum(rows, 0.0), states)

    def unseen(self, panel: Panel, transitions: IntArray) -> IntArray | None:
        if self._network is None:
            return None
        return self._laid_out(panel, self._network.model).dropped(transitions)

    def save(self, folder: Path) -> None:
        """The adapter as peft saves it, what else was trained, facts, and a base without a name."""
        np.savez(folder / ENTRY, log_prob=self._entry)
        network = self._network
        if network is not None:
            if self._own_base is not None:
                config = network.model.get_base_model().config
                keep_base(folder / BASE, config, self._own_base, self._pieces().tokenizer)
            with silence_libraries():
                network.model.save_pretrained(folder / ADAPTER, safe_serialization=True, save_embedding_layers=False)
            own = {name: tensor.detach().cpu().contiguous() for name, tensor in network.own_tensors().items()}
            save_file(own, folder / OWN)
        kept = {STRINGS: list(self._strings), CONTENT: dict(self._content), SEED: self._seed}
        kept |= self._facts | {ENCODING: self._encoding.plain()}
        (folder / FACTS).write_text(json.dumps(kept, indent=2, sort_keys=True) + "\n", encoding="utf-8")

    def load(self, folder: Path) -> None:
        kept = json.loads((folder / FACTS).read_text(encoding="utf-8"))
        self._strings, self._seed = tuple(kept.pop(STRINGS)), int(kept.pop(SEED))
        self._encoding = Encoding.of(kept.pop(ENCODING))
        self._content, self._facts, self._careers = kept.pop(CONTENT), kept, None
        with np.load(folder / ENTRY, allow_pickle=False) as stored:
            self._entry = stored["log_prob"]
        self._network = None
        if not (folder / OWN).exists():
            return
        opened = kept_base(folder / BASE, self.params, self._content)
        self._encoder, base = PieceEncoder(opened.tokenizer), opened.model
        if is_kept(folder / BASE):
            self._own_base = {name: value.clone() for name, value in weights_of(base).items()}
        base = _drawn(base) if self.params.weights == "random" else base
        with silence_libraries():
            adapted: Any = PeftModel.from_pretrained(base, str(folder / ADAPTER))
        own = load_file(folder / OWN)
        start = Start(own["head.start"], own["head.stay_start"], own[GROUPS])
        self._network = network = self._built(adapted.eval(), start, own.get(LIKENESS))
        with torch.no_grad():
            for name, tensor in network.own_tensors().items():
                tensor.copy_(own[name])
        network.eval()

    def place(self, device: str) -> None:
        if self._network is not None:
            self._network, self._careers = self._network.placed(device), None

    def facts(self) -> Mapping[str, Any]:
        """The base's name as boards show it, parameters in all and trained, tokens, how the tuning went."""
        return self._facts

    def _begin(self, train_panel: Panel, context: Context) -> OpenedBase:
        """Forget an earlier fit and open the base."""
        p = self.params
        self._seed, self._careers, self._own_base = context.seed, None, None
        self._network, self._strings, self._encoding = None, (), Encoding([])
        self._entry = np.log(entry_shares(train_panel))
        self._content = {} if p.base == "builtin" else base_content(p)
        base = open_named(p, context)
        self._encoder = PieceEncoder(base.tokenizer)
        if p.base == "builtin":
            self._own_base = {name: value.clone() for name, value in weights_of(base.model).items()}
        if p.weights == "random":
            label = f"{base.label}, random weights"
            return OpenedBase(model=_drawn(base.model), tokenizer=base.tokenizer, label=label)
        return base

    def _start(self, model: Any, pieces: PieceCareers, device: str) -> TitleTokenNetwork:
        """The network before training: drawn on the processor, so that a seed is the same on every device."""
        p = self.params
        adapted = add_adapters(model, Adapters(p.rank, p.alpha, p.dropout, embeddings=False), self._seed)
        said = titles(pieces.panel.occupations, self._options)
        likeness = None
        if p.likeness:
            likeness = torch.from_numpy(likeness_of(title_vectors(said, p.likeness, device)))
        return self._built(adapted, start_of(pieces.panel), likeness).placed(device)

    def _built(self, adapted: Any, start: Start, likeness: torch.Tensor | None) -> TitleTokenNetwork:
        """The network of this encoding and these pieces, its own tensors drawn from the seed."""
        p = self.params
        plan = HeadPlan(
            width=p.width,
            columns=self._encoding.width,
            layers=p.career_layers,
            recall=p.recall == "given",
            dropout=p.hidden_dropout,
            state_dropout=p.state_dropout,
        )
        pieces = self._known(self._words(adapted, self._strings), self._strings)
        with torch.random.fork_rng():
            torch.manual_seed(self._seed % 2**63)
            return TitleTokenNetwork(adapted, pieces, plan=plan, start=start, likeness=likeness)

    def _words(self, model: Any, strings: tuple[str, ...]) -> torch.Tensor:
        words = mean_vectors(model.get_input_embeddings(), strings, self._pieces())
        return random_like(words, strings, self._seed) if self.params.start == "random" else words

    def _known(self, words: torch.Tensor, strings: tuple[str, ...]) -> PieceVectors:
        number = {string: i for i, string in enumerate(self._strings) if i}
        known = np.array([number.get(string, 0) for string in strings], dtype=np.int64)
        known[0] = 0
        return PieceVectors(words=words, known=torch.from_numpy(known).to(words.device))

    def _read(self, panel: Panel, network: TitleTokenNetwork) -> TitleCareers:
        """Any careers; a piece that was not trained on is the mean of its words."""
        pieces = self._laid_out(panel, network.model)
        vectors = self._known(self._words(network.model, pieces.strings), pieces.strings)
        table = TransitionTable.of(panel, self._encoding)
        reads_states = network.reader is not None
        return TitleCareers(pieces=pieces, vectors=vectors, transitions=table, reads_states=reads_states)

    def _laid_out(self, panel: Panel, model: Any) -> PieceCareers:
        context = min(context_length(model), self.params.max_context or 2**31)
        return PieceCareers(panel, self.params.tokens, context, self._options)

    def _pieces(self) -> PieceEncoder:
        if self._encoder is None:
            raise AssertionError("the model is asked before it is fitted or loaded")
        return self._encoder


def _ends(panel: Panel) -> IntArray:
    """int64 [P]: the last record of every person."""
    return panel.offsets[1:].astype(np.int64) - 1


def _drawn(model: Any) -> Any:
    """A model of the same architecture with random weights, the same whenever it is asked for."""
    with torch.random.fork_rng(), silence_libraries():
        torch.manual_seed(0)
        drawn: Any = AutoModelForCausalLM
        return drawn.from_config(model.config, dtype=torch.float32)
