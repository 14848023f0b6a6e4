"""The model behind ``llm-lora``: base, adapters, and the contract with the harness."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from peft import PeftModel
from transformers import PreTrainedTokenizerBase

from harness.model import BoundedRows, Context, Model, UnnormalizedModel
from harness.panel import Panel
from harness.plugins.llm.base.audit import BaseAudit
from harness.plugins.llm.base.content import base_content
from harness.plugins.llm.base.kept import is_kept, keep_base, kept_base
from harness.plugins.llm.base.open import OpenedBase
from harness.plugins.llm.base.opening import open_named
from harness.plugins.llm.params import LlmParams, exchange_of, options_of
from harness.plugins.llm.pooled import pooled_facts, require_poolable
from harness.plugins.llm.scoring.branches import Scorer
from harness.plugins.llm.scoring.certified import certified
from harness.plugins.llm.scoring.choice_sets import whole_rows
from harness.plugins.llm.scoring.reader import Reader
from harness.plugins.llm.scoring.ways import ReadingWays
from harness.plugins.llm.text.loader import (
    context_length,
    extend_vocabulary,
    weights_of,
)
from harness.plugins.llm.text.pieces import NOTHING, PieceEncoder
from harness.plugins.llm.text.prompt import drawn, prompt_ids
from harness.plugins.llm.text.resume import resume_text
from harness.plugins.llm.text.tokenizer_audit import audit
from harness.plugins.llm.text.tokens import Resumes, new_tokens
from harness.plugins.llm.tuning.memory import makes_again, pass_of_ids
from harness.plugins.llm.tuning.precision import product_type, tuned_label
from harness.plugins.llm.tuning.streamed import LearnedResumes, parts_of, resumes_of
from harness.plugins.llm.tuning.tune import (
    Adapters,
    TuningOptions,
    add_adapters,
    require_gain,
    schedule_of,
    tune,
    validation_loss,
)
from harness.system.cache import models_folder
from harness.training.libraries import silence_libraries
from harness.training.loop import TrainingResult
from harness.training.process_group import process_group
from harness.types import FloatArray, IntArray

BASE, ADAPTER, FACTS = "base", "adapter", "llm.json"
CONTENT = "base_content"  # in the facts' file: of the base that is opened again, as ids have it
PROMPT = "prompt"  # in the facts' file, and there alone: token ids of careers, which no record is to publish


class LoraModel(Model):
    """P(next state | history) is P(its title and the delimiter | the resume so far), by the chain rule.

    A language model may also write what is no title at all, so a row sums to at most one.
    """

    def __init__(self, params: LlmParams) -> None:
        self.params = params
        self._options = options_of(params)
        self._model: Any = None
        self._pieces: PieceEncoder | None = None
        self._own_base: dict[str, Any] | None = None  # weights of a base that no name brings back
        self._scorer: Scorer | None = None
        self._facts: dict[str, Any] = {}
        self._content: Mapping[str, str] = {}
        self._audit: BaseAudit | None = None
        self._prompt: IntArray = NOTHING
        self._is_merged = False

    def fit(self, train: Panel, valid: Panel, context: Context) -> None:
        p, sources, group = self.params, (train, *context.also), process_group(context)
        if context.also:
            require_poolable(p)
        with group.main_first():
            base = self._open_base(context)
        added = self._extended(base, parts_of(sources, context.progress, "reading the words of"))
        self._begin(base.tokenizer)
        tried: set[tuple[str, ...]] = set()
        for panel in parts_of(sources, context.progress, "trying the tokenizer on"):
            audit(base.tokenizer, resume_text(panel, self._options), tried)
        nameless = p.base == "builtin" or added > 0  # no name brings this base back
        if nameless and p.tuning != "full":
            self._own_base = {name: value.clone() for name, value in weights_of(base.model).items()}
        parameters = sum(x.numel() for x in base.model.parameters())
        self._model = base.model.to(context.device)
        self._prompt = self._drawn_prompt(train, context.seed)
        watched, resumes = self._resumes(valid), resumes_of(sources, self._resumes, context.progress)
        ways = self._ways(self._model, watched, resumes)
        # Adapters are drawn on the processor, whatever the device: a seed is the same everywhere.
        self._model = self._prepared(base.model.cpu(), context).to(context.device)
        result = self._tuned(resumes, watched, ways, context)
        if p.tuning == "full":
            self._own_base = weights_of(self._model)
        self._facts = {
            "base": base.label if p.tuning == "none" else tuned_label(base.label, self._products(context.device)),
            "parameters": parameters,
            "parameters_trained": sum(x.numel() for x in self._model.parameters() if x.requires_grad),
            "tokens_added": added,
            "tokens_a_title": round(float(watched.events.lengths.mean()) - 1, 2),
            "records_dropped": resumes.records_dropped(),
            "epochs": result.epochs,
            "best_epoch": result.best,
            "validation_loss": [round(loss, 6) for loss in result.validation],
            **pooled_facts(train, context.also),
            **({"prompt_tokens": len(self._prompt)} if p.shots else {}),
        }

    def _tuned(
        self, resumes: LearnedResumes, watched: Resumes, ways: ReadingWays | None, context: Context
    ) -> TrainingResult:
        """The course of the tuning; of a base as it is, its validation loss alone."""
        p = self.params
        if p.tuning == "none":
            loss = validation_loss(self._model, watched, self._pad(), process_group(context))
            return TrainingResult(validation=(loss,))
        products = self._products(context.device)
        vocabulary = int(self._model.get_input_embeddings().weight.shape[0])
        again = makes_again(self._model, p, pass_of_ids, scores=vocabulary, products=products)
        options = replace(tuning_options(p, ways), products=products, gradient_checkpointing=again, sharded=p.shard)
        result = tune(self._model, resumes, watched, pad=self._pad(), options=options, context=context)
        require_gain(result, p.min_gain)
        return result

    def _begin(self, tokenizer: PreTrainedTokenizerBase) -> None:
        """Forget an earlier fit. tokenizer: with every token that it is going to have."""
        self._pieces = PieceEncoder(tokenizer)
        self._own_base = self._scorer = None
        self._is_merged = False

    def _extended(self, base: OpenedBase, panels: Iterable[Panel]) -> int:
        """Number of tokens that the base was given for words or titles of the panels."""
        p = self.params
        extend = p.extend_vocabulary or ("words" if p.base == "builtin" else "none")
        new = [] if extend == "none" else new_tokens(panels, extend == "titles", self._options)
        return extend_vocabulary(base.model, base.tokenizer, new, base.any_title)

    def _drawn_prompt(self, train: Panel, seed: int) -> IntArray:
        """int64 [p]: token ids of the careers that are shown before every other."""
        if not self.params.shots:
            return NOTHING
        return prompt_ids(drawn(train, self.params.shots, seed), self._encoder(), self._options)

    def _prepared(self, model: Any, context: Context) -> Any:
        """The base with what is to be trained: adapters, every weight, or nothing."""
        p = self.params
        if p.tuning != "lora":
            return model.requires_grad_(p.tuning == "full")
        embeddings = p.base == "builtin" if p.train_embeddings is None else p.train_embeddings
        return add_adapters(model, Adapters(p.rank, p.alpha, p.dropout, embeddings), context.seed)

    def _products(self, device: str) -> torch.dtype | None:
        """The type of matrix products of the tuning; None: float32."""
        return product_type(self.params.precision, device, self.params.base)

    def log_prob(self, panel: Panel, transitions: IntArray, states: IntArray) -> FloatArray:
        resumes = self._resumes(panel)
        ways = self._ways(self._merged(), resumes)
        if self._scorer is None or self._scorer.ways != ways:
            self._scorer = Scorer(self._merged(), self._pad(), ways)
        return self._scorer.log_prob(resumes, transitions, states)

    def _ways(self, model: Any, *resumes: Resumes | LearnedResumes) -> ReadingWays | None:
        """The ways to read these with the model; None for the builtin base, whose architecture follows them all."""
        if self.params.base == "builtin":
            return None
        if self._audit is None or self._audit.content != self._content:
            self._audit = BaseAudit(self._content, models_folder())
        return self._audit.ways(model, max(part.longest() for part in resumes), self._context())

    def unseen(self, panel: Panel, transitions: IntArray) -> IntArray | None:
        return self._resumes(panel).dropped(transitions)

    def save(self, folder: Path) -> None:
        """The adapter as peft saves it; facts; and model and tokenizer where no name brings them back."""
        adapted = self.params.tuning == "lora"
        if self._own_base is not None:
            config = (self._model.get_base_model() if adapted else self._model).config
            keep_base(folder / BASE, config, self._own_base, self._encoder().tokenizer)
        if adapted:
            with silence_libraries():
                self._model.save_pretrained(folder / ADAPTER, safe_serialization=True, save_embedding_layers=False)
        kept = self._facts | ({PROMPT: self._prompt.tolist()} if self.params.shots else {})
        kept |= {CONTENT: self._content}
        text = json.dumps(kept, indent=2, sort_keys=True)
        (folder / FACTS).write_text(text + "\n", encoding="utf-8")

    def load(self, folder: Path) -> None:
        adapted = self.params.tuning == "lora"
        self._facts = json.loads((folder / FACTS).read_text(encoding="utf-8"))
        self._prompt = np.array(self._facts.pop(PROMPT, []), dtype=np.int64)
        self._content = self._facts.pop(CONTENT, {})
        opened = kept_base(folder / BASE, self.params, self._content)
        self._begin(opened.tokenizer)
        base = opened.model
        if is_kept(folder / BASE):  # a copy, where adapters will be added into the weights
            self._own_base = {k: v.clone() if adapted else v for k, v in weights_of(base).items()}
        with silence_libraries():
            model: Any = PeftModel.from_pretrained(base, str(folder / ADAPTER)) if adapted else base
            self._model = model.eval()

    def place(self, device: str) -> None:
        self._model, self._scorer = self._model.to(device), None

    def facts(self) -> Mapping[str, Any]:
        """The base's name as boards show it, parameters in all and trained, how the tuning went."""
        return self._facts

    def _merged(self) -> Any:
        """The model with its adapters added into its weights: the same to rounding, and faster to read with."""
        if self.params.tuning == "lora" and not self._is_merged:
            self._model.merge_adapter()
            self._is_merged = True
        return self._model

    def _open_base(self, context: Context) -> OpenedBase:
        self._content = {} if self.params.base == "builtin" else base_content(self.params)
        return open_named(self.params, context)

    def _resumes(self, panel: Panel) -> Resumes:
        pieces, context = self._encoder(), self._context()
        return Resumes(panel=panel, pieces=pieces, context=context, options=self._options, prefix=self._prompt)

    def _context(self) -> int:
        """The most tokens that a sequence may have."""
        return min(context_length(self._model), self.params.max_context or 2**31)

    def _encoder(self) -> PieceEncoder:
        if self._pieces is None:
            raise AssertionError("the model is asked before it is fitted or loaded")
        return self._pieces

    def _pad(self) -> int:
        """Any token will do that the model has: nothing that is read ever sees the padding."""
        asked, rows = self._encoder().tokenizer.pad_token_id, self._model.get_input_embeddings().weight.shape[0]
        return int(asked) if asked is not None and asked < rows else 0


class RenormalisedLoraModel(LoraModel, UnnormalizedModel):
    """The same, and it also weighs its rows: the sum over every title, or bounds on it."""

    def bounded_log_prob(self, panel: Panel, transitions: IntArray, states: IntArray) -> BoundedRows:
        resumes = self._resumes(panel)
        reader = Reader(self._merged(), self._pad(), self._ways(self._merged(), resumes))
        if self.params.renormalise == "exact":
            rows = whole_rows(reader, resumes, transitions)
            log_mass = np.minimum(np.log(np.exp(rows.astype(np.float64)).sum(axis=1)), 0.0)
            log_prob = np.take_along_axis(rows, states, axis=1).astype(np.float64)
            return BoundedRows(log_prob=log_prob, log_mass_low=log_mass, log_mass_high=log_mass, rows=rows)
        found = certified(reader, resumes, targets=transitions, asked=states, tolerance=self.params.tolerance)
        low, high = found.log_mass
        return BoundedRows(
            log_prob=found.log_prob(states), log_mass_low=low, log_mass_high=high, rows=found.rows_at_most()
        )


def tuning_options(p: LlmParams, ways: ReadingWays | None = None) -> TuningOptions:
    """The options of these parameters, whatever the machine. ways: of the base; None where they are still to try."""
    within, across = exchange_of(p)
    rate = p.learning_rate or (2e-3 if p.tuning == "lora" else 5e-4)
    return TuningOptions(
        schedule=schedule_of(p, rate, within, across),
        loss=p.loss,
        embedding_factor=p.embedding_factor,
        hidden_dropout=p.hidden_dropout,
        packing=p.packing if ways is None or ways.packed else False,
    )
