"""The models of the family, through the contract: trained on careers, asked for the next state in one pass a career."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from harness.features.encoding import Encoding, require_levels
from harness.features.frequencies import entry_shares
from harness.features.selection import names_of
from harness.model import Context, Model, take_states
from harness.model.soft_targets import soft_targets, teacher_facts
from harness.model.teaching import TeacherParams
from harness.network.layers import Reader
from harness.network.start import start_of
from harness.network.titles import title_vectors
from harness.network.transitions import AT_ONCE, TransitionTable
from harness.panel import Corpus, Panel
from harness.plugins.career.files import ABOUT, read_network, write_network
from harness.plugins.career.network import Network
from harness.plugins.career.params import FamilyParams, TitlesParams
from harness.plugins.career.plans import given_of, plan_of, recipe_of, schedule_of
from harness.plugins.career.pretrain import PretrainedNetwork, begin_from, matched, pretrained
from harness.plugins.career.train import CareerTrainee
from harness.training.loop import TrainingResult
from harness.training.loop import train as train_network
from harness.types import FloatArray, IntArray

ENTRY, FACTS = "entry.npz", "facts.json"


class CareerModel(Model):
    """One network. reader: what reads the career. A first record, which has no history, has the shares of all."""

    def __init__(self, params: FamilyParams, reader: Reader) -> None:
        self.params = params
        self.reader: Reader = reader
        self._network: Network | None = None  # None where there was nothing to learn
        self._encoding: Encoding | None = None
        self._entry: FloatArray = np.zeros(0)  # [K], ln P(state of a first record)
        self._facts: dict[str, Any] = {}

    def fit(self, train: Panel, valid: Panel, context: Context) -> None:
        p = self.params
        self._network = self._encoding = None
        self._entry = np.log(entry_shares(train))
        self._facts = {"parameters_trained": train.n_states, "epochs": 0, "best_epoch": 0, "validation_loss": []}
        if train.n_states == 1 or not len(train.transitions):
            return
        names = names_of(train, given_of(p, self.reader))
        require_levels(train, p.order)  # what is wrong with the request, before the minutes of pre-training
        self._open_encoder(train, context)
        base = self._base(context)
        encoding = Encoding.fit(train, names, p.order, None if base is None else base.encoding)
        with torch.random.fork_rng():
            torch.manual_seed(context.seed % 2**63)
            plan = replace(plan_of(p, self.reader), columns=encoding.width, **self._encoder_plan())
            network = Network(plan, start_of(train), self._titles(train, context))
        begun = {} if base is None else self._begun_from(base, network, encoding, train)
        schedule = schedule_of(p, tuned=base is not None)
        taught = soft_targets(p, train, valid, context) if isinstance(p, TeacherParams) else None
        tokens, watched = (self._tokens(panel, encoding, context) for panel in (train, valid))
        tokens = replace(tokens, taught=taught)
        trainee = CareerTrainee(
            network=network, panel=train, tokens=tokens, valid=watched, schedule=schedule, context=context
        )
        fit = train_network(trainee, schedule, context, "training")
        if fit.best == 0:
            context.progress.note("no epoch was better on the validation split than the start, which is kept")
        self._network, self._encoding = network, encoding
        self._facts = {**_facts(network, fit), **begun, **teacher_facts(taught)}

    def _open_encoder(self, train: Panel, context: Context) -> None:
        """For a subclass: open the encoder that reads careers beside the network."""

    def _encoder_plan(self) -> dict[str, Any]:
        """Of the network's plan, what an encoder decides."""
        return {}

    def _tokens(self, panel: Panel, encoding: Encoding, context: Context | None = None) -> TransitionTable:
        """Of every transition. context: of a fit."""
        return TransitionTable.of(panel, encoding)

    def _base(self, context: Context) -> PretrainedNetwork | None:
        """A network that has learned from resumes, if any are asked for."""
        if context.resumes is None:
            return None
        recipe = recipe_of(self.params, self.reader)
        return pretrained(recipe, context.resumes, self._titles(context.resumes, context), context)

    def _begun_from(
        self, base: PretrainedNetwork, network: Network, encoding: Encoding, train: Panel
    ) -> dict[str, Any]:
        """Facts of it."""
        states = matched(train.occupations, base.occupations, self.params.pretrain_match)
        begin_from(base, network, encoding=encoding, occupations=train.occupations, states=states)
        return {
            "pretraining": base.key,
            "pretraining_seconds": base.seconds,
            "states_matched": int((states >= 0).sum()),
            "pretraining_loss": [round(loss, 6) for loss in base.validation],
        }

    def _titles(self, panel: Panel | Corpus, context: Context) -> Tensor | None:
        """float32 [K, e] where the parameters name an encoder."""
        if not isinstance(self.params, TitlesParams):
            return None
        like = None if context.resumes is None else context.resumes.occupations.titles
        return torch.from_numpy(title_vectors(panel.occupations.titles, self.params.encoder, context.device, like))

    def log_prob(self, panel: Panel, transitions: IntArray, states: IntArray) -> FloatArray:
        """One pass for all transitions of a career."""
        rows = np.empty((len(transitions), panel.n_states), dtype=np.float32)
        is_entry = panel.origin(transitions) < 0
        rows[is_entry] = self._entry
        later = np.flatnonzero(~is_entry)
        if self._network is None:  # a single state, or nothing learned
            rows[later] = self._entry
        elif len(later):
            rows[later] = self._rows(panel, transitions[later])
        return take_states(np.minimum(rows, 0.0), states)

    def _rows(self, panel: Panel, transitions: IntArray) -> FloatArray:
        """float32 [n, K] of transitions that have an origin, in any order."""
        network, encoding = self._fitted()
        part, own = panel.select_transitions(transitions)
        wanted = np.searchsorted(part.transitions, own)  # its place among the tokens
        tokens = self._tokens(part, encoding)
        device = str(next(network.parameters()).device)
        found = np.empty((len(own), panel.n_states), dtype=np.float32)
        order = np.argsort(wanted, kind="stable")
        with torch.no_grad():
            for careers in tokens.parts(AT_ONCE):
                first, stop = tokens.offsets[careers[0]], tokens.offsets[careers[-1] + 1]
                here = order[slice(*np.searchsorted(wanted[order], [first, stop]))]
                if len(here):
                    asked = torch.from_numpy(wanted[here] - first).to(device)
                    found[here] = network.rows(tokens.batch(careers, device), asked).cpu().numpy()
        return found

    def _fitted(self) -> tuple[Network, Encoding]:
        if self._network is None or self._encoding is None:
            raise AssertionError("asked before it was fitted")
        return self._network, self._encoding

    def save(self, folder: Path) -> None:
        np.savez(folder / ENTRY, log_prob=self._entry)
        (folder / FACTS).write_text(json.dumps(self._facts), encoding="utf-8")
        if self._network is not None and self._encoding is not None:
            write_network(folder, self._network, self._encoding, {})

    def load(self, folder: Path) -> None:
        with np.load(folder / ENTRY, allow_pickle=False) as stored:
            self._entry = stored["log_prob"]
        self._facts = json.loads((folder / FACTS).read_text(encoding="utf-8"))
        self._network = self._encoding = None
        if (folder / ABOUT).exists():
            self._network, self._encoding, _ = read_network(folder)

    def place(self, device: str) -> None:
        if self._network is not None:
            self._network.to(device)

    def facts(self) -> Mapping[str, Any]:
        return self._facts


def _facts(network: Network, fit: TrainingResult) -> dict[str, Any]:
    return {
        "parameters_trained": sum(p.numel() for p in network.parameters()),
        "epochs": fit.epochs,
        "best_epoch": fit.best,
        "validation_loss": [round(loss, 6) for loss in fit.validation],
    }
