"""The model behind ``llm-lora``: base, adapters, and the contract with the harness."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.errors import RequestError
from harness.model import Context, OpenModel, Within
from harness.panel import Panel
from harness.plugins.llm import LlmParams
from harness.plugins.llm.loader import context_length, extend_vocabulary, load_causal_lm, load_tokenizer, quiet
from harness.plugins.llm.tokens import Resumes, encode_titles, new_tokens
from harness.types import FloatArray, IntArray

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from harness.plugins.llm.base import Base, Recipe
    from harness.plugins.llm.score import Scorer

BASE, ADAPTER, FACTS = "base", "adapter", "llm.json"
WHOLE_ROWS_FROM = 16  # states; fewer titles are branches of one pass, more share a trie behind a cached career


class LoraModel(OpenModel):
    """P(next state | history) is P(its title and the delimiter | the resume so far), by the chain rule.

    A language model may also write what is no title at all, so a row sums to at most one.
    """

    def __init__(self, params: LlmParams) -> None:
        self.params = params
        self._model: Any = None
        self._tokenizer: PreTrainedTokenizerBase | None = None
        self._own_base: dict[str, Any] | None = None  # weights of a base that no name brings back
        self._scorer: Scorer | None = None
        self._facts: dict[str, Any] = {}

    def fit(self, train: Panel, valid: Panel, context: Context) -> None:
        from harness.plugins.llm.tune import Adapters, Schedule, add_adapters, tune

        p = self.params
        builtin = p.base == "builtin"
        base = self._open_base(context)
        extend = p.extend_vocabulary or ("words" if builtin else "none")
        new = [] if extend == "none" else new_tokens(train, whole_titles=extend == "titles")
        added = extend_vocabulary(base.model, base.tokenizer, new, base.title_tokens)
        self._own_base = self._scorer = None
        if builtin or added:
            self._own_base = {name: value.clone() for name, value in base.model.state_dict().items()}
        self._tokenizer = base.tokenizer
        parameters = sum(x.numel() for x in base.model.parameters())
        embeddings = builtin if p.train_embeddings is None else p.train_embeddings
        with quiet():
            self._model = add_adapters(base.model, Adapters(p.rank, p.alpha, p.dropout, embeddings), context.seed).to(
                context.device
            )
        resumes, watched = self._resumes(train), self._resumes(valid)
        schedule = Schedule(
            epochs=p.epochs,
            min_gain=p.min_gain,
            patience=p.patience,
            decay=p.decay,
            learning_rate=p.learning_rate,
            embedding_factor=p.embedding_factor,
            average=p.average,
            weight_decay=p.weight_decay,
            batch_tokens=p.batch_tokens,
            loss=p.loss,
        )
        fitted = tune(self._model, (resumes, watched), self._pad(), schedule, context)
        self._facts = {
            "base": base.label,
            "parameters": parameters,
            "parameters_trained": sum(x.numel() for x in self._model.parameters() if x.requires_grad),
            "tokens_added": added,
            "records_dropped": resumes.records_dropped(),
            "epochs": fitted.epochs,
            "best_epoch": fitted.best,
            "validation_loss": [round(loss, 6) for loss in fitted.validation],
        }

    def log_prob(self, panel: Panel, transitions: IntArray, states: IntArray) -> FloatArray:
        from harness.plugins.llm.score import Scorer

        if self._scorer is None:
            self._scorer = Scorer(self._model, self._pad())
        answer: FloatArray = self._scorer.log_prob(self._resumes(panel), transitions, states)
        return answer

    def within(self, panel: Panel, transitions: IntArray, states: IntArray) -> Within | None:
        from harness.plugins.llm.choice import whole_rows
        from harness.plugins.llm.pruning import certified

        if self.params.renormalise == "none":
            return None
        resumes, reader = self._resumes(panel), (self._model, self._pad())
        if self.params.renormalise == "exact":
            rows = whole_rows(*reader, resumes, transitions)
            log_mass = np.minimum(np.log(np.exp(rows.astype(np.float64)).sum(axis=1)), 0.0)
            return Within(np.take_along_axis(rows, states, axis=1).astype(np.float64), log_mass, log_mass, rows)
        found = certified(reader, resumes, transitions, states, self.params.tolerance)
        with np.errstate(divide="ignore"):  # nothing may be left
            most = np.log(found.left).astype(np.float32)
        rows = np.where(np.isneginf(found.rows), most[:, None], found.rows)
        low, high = found.log_mass
        return Within(found.log_prob, low, high, rows)

    def save(self, folder: Path) -> None:
        """The adapter as peft saves it, the tokenizer, facts; and the base where no name brings it back."""
        if self._own_base is not None:
            from safetensors.torch import save_file

            (folder / BASE).mkdir()
            self._model.get_base_model().config.save_pretrained(folder / BASE)
            weights = {name: value.contiguous() for name, value in self._own_base.items()}
            save_file(weights, folder / BASE / "model.safetensors", metadata={"format": "pt"})
            self._known_tokenizer().save_pretrained(folder / BASE)
        with quiet():
            self._model.save_pretrained(folder / ADAPTER, safe_serialization=True, save_embedding_layers=False)
        text = json.dumps(self._facts, indent=2, sort_keys=True)
        (folder / FACTS).write_text(text + "\n", encoding="utf-8")

    def load(self, folder: Path) -> None:
        from peft import PeftModel

        own = folder / BASE
        source: str | Path = own if own.is_dir() else self.params.base
        self._scorer = None
        base, self._tokenizer = load_causal_lm(source), load_tokenizer(source)
        self._own_base = dict(base.state_dict()) if own.is_dir() else None
        with quiet():
            self._model = PeftModel.from_pretrained(base, str(folder / ADAPTER)).eval()
        self._facts = json.loads((folder / FACTS).read_text(encoding="utf-8"))

    def facts(self) -> Mapping[str, Any]:
        """The base's name as boards show it, parameters in all and trained, how the tuning went."""
        return self._facts

    def _open_base(self, context: Context) -> Base:
        from harness.plugins.llm.base import Base, builtin_base

        if self.params.base != "builtin":
            model, tokenizer = load_causal_lm(self.params.base), load_tokenizer(self.params.base)
            return Base(model, tokenizer, self.params.base)
        from harness.data.sources import open_panel

        return builtin_base(self._recipe(), lambda: open_panel(self.params.pool), context)

    def _recipe(self) -> Recipe:
        from harness.plugins.llm.base import Recipe

        p = self.params
        if p.base_width % (2 * p.base_heads):
            raise RequestError(
                f"base_width={p.base_width} does not make {p.base_heads} heads of an even width: choose a multiple of "
                f"{2 * p.base_heads}"
            )
        return Recipe(
            pool=p.pool,
            layers=p.base_layers,
            width=p.base_width,
            heads=p.base_heads,
            vocabulary=p.base_vocabulary,
            context=p.base_context,
            tokens=p.base_tokens,
            batch_tokens=p.base_batch_tokens,
            learning_rate=p.base_learning_rate,
        )

    def _resumes(self, panel: Panel) -> Resumes:
        tokenizer = self._known_tokenizer()
        context = min(context_length(self._model), self.params.max_context or 2**31)
        return Resumes(panel, tokenizer, encode_titles(tokenizer, panel.occupations), context)

    def _known_tokenizer(self) -> PreTrainedTokenizerBase:
        if self._tokenizer is None:
            raise AssertionError("the model is asked before it is fitted or loaded")
        return self._tokenizer

    def _pad(self) -> int:
        """Any token will do: nothing that is read ever sees the padding."""
        return int(self._known_tokenizer().pad_token_id or 0)
