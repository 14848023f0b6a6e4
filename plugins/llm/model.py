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
from harness.panel.pooling import same_titles
from harness.plugins.llm.params import LlmParams, exchange_of, options_of
from harness.plugins.llm.text.loader import (
    context_length,
    extend_vocabulary,
    load_causal_lm,
    load_tokenizer,
    weights_of,
)
from harness.plugins.llm.text.prompt import drawn, prompt_ids
from harness.plugins.llm.text.resume import resume_text
from harness.plugins.llm.text.tokenizer_audit import audit
from harness.plugins.llm.text.tokens import NOTHING, Resumes, encode_titles, new_tokens
from harness.training.libraries import quiet
from harness.types import FloatArray, IntArray

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from harness.plugins.llm.base.pretrain import Base
    from harness.plugins.llm.scoring.branches import Scorer
    from harness.plugins.llm.tuning.schedule import Schedule

BASE, ADAPTER, FACTS = "base", "adapter", "llm.json"
PROMPT = "prompt"  # in the facts' file, and there alone: token ids of careers, which no record is to publish
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
        self._prompt: IntArray = NOTHING
        self._is_merged = False

    def fit(self, train: Panel, valid: Panel, context: Context) -> None:
        from harness.plugins.llm.tuning.tune import Fit, tune, validation_loss
        from harness.training.distributed import together

        p, panels = self.params, (train, *context.also)
        self._require_poolable(context.also)
        group = together(context)
        with group.main_first():
            base = self._open_base(context)
        added = self._extended(base, panels)
        self._own_base = self._scorer = None
        self._is_merged = False
        self._tokenizer = base.tokenizer
        for panel in panels:
            audit(base.tokenizer, resume_text(panel, options_of(self.params)))
        nameless = p.base == "builtin" or added > 0  # no name brings this base back
        if nameless and p.tuning != "full":
            self._own_base = {name: value.clone() for name, value in weights_of(base.model).items()}
        parameters = sum(x.numel() for x in base.model.parameters())
        self._model = self._prepared(base.model, context).to(context.device)
        self._prompt = self._drawn_prompt(train, context.seed)
        resumes, watched = [self._resumes(panel) for panel in panels], self._resumes(valid)
        if p.tuning == "none":
            fitted = Fit((validation_loss(self._model, watched, self._pad(), group),), 0, 0)
        else:
            fitted = tune(self._model, (resumes, watched), self._pad(), self._schedule(), context)
        if p.tuning == "full":
            self._own_base = weights_of(self._model)
        self._facts = {
            "base": base.label,
            "parameters": parameters,
            "parameters_trained": sum(x.numel() for x in self._model.parameters() if x.requires_grad),
            "tokens_added": added,
            "tokens_a_title": round(float(resumes[0].events.lengths.mean()) - 1, 2),
            "records_dropped": sum(part.records_dropped() for part in resumes),
            "epochs": fitted.epochs,
            "best_epoch": fitted.best,
            "validation_loss": [round(loss, 6) for loss in fitted.validation],
            **_pooled(train, context.also),
            **({"prompt_tokens": len(self._prompt)} if p.shots else {}),
        }

    def _extended(self, base: Base, panels: tuple[Panel, ...]) -> int:
        """How many tokens the base was given for words or titles of the panels."""
        p = self.params
        extend = p.extend_vocabulary or ("words" if p.base == "builtin" else "none")
        new = [] if extend == "none" else new_tokens(panels, extend == "titles", options_of(p))
        return extend_vocabulary(base.model, base.tokenizer, new, base.any_title)

    def _drawn_prompt(self, train: Panel, seed: int) -> IntArray:
        """int64 [p]: token ids of the careers that are shown before every other."""
        prompt: IntArray = NOTHING
        if self.params.shots:
            tokenizer, options = self._known_tokenizer(), options_of(self.params)
            events = encode_titles(tokenizer, train.occupations, options)
            prompt = prompt_ids(drawn(train, self.params.shots, seed), tokenizer, events, options)
        return prompt

    def _require_poolable(self, also: tuple[Panel, ...]) -> None:
        if also and self.params.tuning == "none":
            raise RequestError("llm-lora.tuning=none trains nothing: leave out --train-also, or tune")
        if also and self.params.titles == "codes":
            raise RequestError(
                "--train-also matches occupations by title, and a code may stand for another occupation in another "
                "panel: leave out llm-lora.titles=codes"
            )

    def _prepared(self, model: Any, context: Context) -> Any:
        """The base with what is to be trained: adapters, every weight, or nothing."""
        from harness.plugins.llm.tuning.tune import Adapters, add_adapters

        p = self.params
        if p.tuning != "lora":
            return model.requires_grad_(p.tuning == "full")
        embeddings = p.base == "builtin" if p.train_embeddings is None else p.train_embeddings
        return add_adapters(model, Adapters(p.rank, p.alpha, p.dropout, embeddings), context.seed)

    def _schedule(self) -> Schedule:
        from harness.plugins.llm.tuning.schedule import Schedule

        p = self.params
        within, across = exchange_of(p)
        return Schedule(
            epochs=p.epochs,
            min_gain=p.min_gain,
            patience=p.patience,
            decay=p.decay,
            learning_rate=p.learning_rate or (2e-3 if p.tuning == "lora" else 5e-4),
            embedding_factor=p.embedding_factor,
            average=p.average,
            weight_decay=p.weight_decay,
            batch_tokens=p.batch_tokens,
            loss=p.loss,
            hidden_dropout=p.hidden_dropout,
            exchange=within,
            exchange_across=across,
            packing=p.packing,
            precision=p.precision,
            gradient_checkpointing=p.gradient_checkpointing,
            checkpoint_seconds=p.checkpoint_seconds,
        )

    def log_prob(self, panel: Panel, transitions: IntArray, states: IntArray) -> FloatArray:
        from harness.plugins.llm.scoring.branches import Scorer

        if self._scorer is None:
            self._scorer = Scorer(self._merged(), self._pad())
        return self._scorer.log_prob(self._resumes(panel), transitions, states)

    def unseen(self, panel: Panel, transitions: IntArray) -> IntArray | None:
        return self._resumes(panel).dropped(transitions)

    def within(self, panel: Panel, transitions: IntArray, states: IntArray) -> Within | None:
        from harness.plugins.llm.scoring.certified import certified
        from harness.plugins.llm.scoring.choice_sets import whole_rows

        if self.params.renormalise == "none":
            return None
        resumes, reader = self._resumes(panel), (self._merged(), self._pad())
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
        """The adapter as peft saves it; facts; and model and tokenizer where no name brings them back."""
        adapted = self.params.tuning == "lora"
        if self._own_base is not None:
            from safetensors.torch import save_file

            (folder / BASE).mkdir()
            (self._model.get_base_model() if adapted else self._model).config.save_pretrained(folder / BASE)
            weights = {name: value.contiguous() for name, value in self._own_base.items()}
            save_file(weights, folder / BASE / "model.safetensors", metadata={"format": "pt"})
            self._known_tokenizer().save_pretrained(folder / BASE)
        if adapted:
            with quiet():
                self._model.save_pretrained(folder / ADAPTER, safe_serialization=True, save_embedding_layers=False)
        kept = self._facts | ({PROMPT: self._prompt.tolist()} if self.params.shots else {})
        text = json.dumps(kept, indent=2, sort_keys=True)
        (folder / FACTS).write_text(text + "\n", encoding="utf-8")

    def load(self, folder: Path) -> None:
        from peft import PeftModel

        own = folder / BASE
        source, subfolder = (own, "") if own.is_dir() else (self.params.base, self.params.subfolder)
        self._own_base = self._scorer = None
        self._is_merged = False
        base, self._tokenizer = load_causal_lm(source, subfolder), load_tokenizer(source, subfolder)
        adapted = self.params.tuning == "lora"
        if own.is_dir():  # a copy, where adapters will be added into the weights
            self._own_base = {k: v.clone() if adapted else v for k, v in weights_of(base).items()}
        with quiet():
            model: Any = PeftModel.from_pretrained(base, str(folder / ADAPTER)) if adapted else base
            self._model = model.eval()
        self._facts = json.loads((folder / FACTS).read_text(encoding="utf-8"))
        self._prompt = np.array(self._facts.pop(PROMPT, []), dtype=np.int64)

    def facts(self) -> Mapping[str, Any]:
        """The base's name as boards show it, parameters in all and trained, how the tuning went."""
        return self._facts

    def _merged(self) -> Any:
        """The model with its adapters added into its weights: the same to rounding, and faster to read with."""
        if self.params.tuning == "lora" and not self._is_merged:
            self._model.merge_adapter()
            self._is_merged = True
        return self._model

    def _open_base(self, context: Context) -> Base:
        from harness.plugins.llm.base.pretrain import Base, builtin_base, recipe_of

        if self.params.base != "builtin":
            name, subfolder = self.params.base, self.params.subfolder
            label = f"{name}/{subfolder}" if subfolder else name
            return Base(load_causal_lm(name, subfolder), load_tokenizer(name, subfolder), label)
        if context.open_panel is None:
            raise AssertionError("a fit from the builtin base needs Context.open_panel")
        return builtin_base(recipe_of(self.params), context.open_panel(self.params.pool), context)

    def _resumes(self, panel: Panel) -> Resumes:
        tokenizer = self._known_tokenizer()
        context = min(context_length(self._model), self.params.max_context or 2**31)
        options = options_of(self.params)
        events = encode_titles(tokenizer, panel.occupations, options)
        return Resumes(panel, tokenizer, events, context, options, self._prompt)

    def _known_tokenizer(self) -> PreTrainedTokenizerBase:
        if self._tokenizer is None:
            raise AssertionError("the model is asked before it is fitted or loaded")
        return self._tokenizer

    def _pad(self) -> int:
        """Any token will do: nothing that is read ever sees the padding."""
        return int(self._known_tokenizer().pad_token_id or 0)


def _pooled(train: Panel, also: tuple[Panel, ...]) -> dict[str, int]:
    """What was pooled: persons, and of the further panels' titles those that the main one has. Nothing of nothing."""
    if not also:
        return {}
    same = [same_titles(panel.occupations, train.occupations) >= 0 for panel in also]
    return {
        "persons_pooled": sum(panel.n_persons for panel in also),
        "titles_pooled": sum(len(found) for found in same),
        "titles_matched": sum(int(found.sum()) for found in same),
    }
