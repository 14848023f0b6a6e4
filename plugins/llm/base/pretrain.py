"""The builtin base: a small Llama-architecture model, pre-trained once on a pool of resumes and cached."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerBase, PreTrainedTokenizerFast

from harness.errors import RequestError
from harness.model import Context
from harness.panel import Panel
from harness.plugins.llm.base.open import OpenedBase
from harness.plugins.llm.base.symbols import add_symbols, disguised, symbol_ids
from harness.plugins.llm.params import BaseParams, ReadingParams
from harness.plugins.llm.scoring.head import reading
from harness.plugins.llm.text.facts import CareerFacts
from harness.plugins.llm.text.loader import load_causal_lm, load_tokenizer
from harness.plugins.llm.text.pieces import PieceEncoder, encode_titles
from harness.plugins.llm.text.resume import EVERYTHING, TextOptions, resume_text
from harness.plugins.llm.text.template import ResumeTemplate
from harness.plugins.llm.text.tokens import Resumes
from harness.plugins.llm.tuning.loss import Examples, Loss, TokenLoss, examples
from harness.training.cached_base import CachedBase, base_key
from harness.training.checkpoint import training_key
from harness.training.libraries import silence_libraries
from harness.training.loop import EpochData, EpochSteps, train
from harness.training.optimizer import adamw
from harness.training.process_group import SINGLE
from harness.training.schedule import Schedule, TokenBudget
from harness.training.step import Stepping
from harness.training.workers import workers

START, PAD = "<s>", "<pad>"
CHECKPOINT_SECONDS = 60.0
WEIGHT_DECAY = 0.1


@dataclass(frozen=True)
class BaseRecipe:
    """All that decides what the base becomes. Sizes in tokens, layers and dimensions.

    symbols, disguised: tokens that stand for any occupation, and the share of the pool's persons whose occupations are
    read as such (``symbols``). template, career_facts: of the resumes, those of the careers that it is made for.
    """

    pool: str
    layers: int
    width: int
    heads: int
    vocabulary: int
    context: int
    tokens: int
    batch_tokens: int
    learning_rate: float
    symbols: int
    disguised: float
    loss: Loss
    template: str
    career_facts: CareerFacts
    seed: int = 0

    def options(self) -> TextOptions:
        """The parts of a resume that it reads."""
        return TextOptions(career_facts=self.career_facts, template=ResumeTemplate.of(self.template))

    def place(self, pool: Panel) -> CachedBase:
        """The place in the cache of the base of this recipe and pool."""
        return CachedBase(kind="llm-bases", key=base_key(__name__, self, pool.fingerprint()))

    def name(self, pool: Panel) -> str:
        """8 hexadecimal digits of the recipe and of what is in the pool, whatever the code."""
        return hashlib.sha256(f"{self} {pool.fingerprint()}".encode()).hexdigest()[:8]


def recipe_of(p: BaseParams) -> BaseRecipe:
    """The recipe of the builtin base of these parameters. RequestError where heads do not divide the width."""
    if p.base_width % (2 * p.base_heads):
        raise RequestError(
            f"base_width={p.base_width} does not make {p.base_heads} heads of an even width: choose a multiple of "
            f"{2 * p.base_heads}"
        )
    text = p if isinstance(p, ReadingParams) else ReadingParams()
    return BaseRecipe(
        pool=p.pool,
        layers=p.base_layers,
        width=p.base_width,
        heads=p.base_heads,
        vocabulary=p.base_vocabulary,
        context=p.base_context,
        tokens=p.base_tokens,
        batch_tokens=p.base_batch_tokens,
        learning_rate=p.base_learning_rate,
        symbols=p.base_symbols,
        disguised=p.base_disguised,
        loss=p.base_loss,
        template=text.template,
        career_facts=text.career_facts,
    )


def builtin_base(recipe: BaseRecipe, pool: Panel, context: Context) -> OpenedBase:
    """The base of a recipe, from the cache, where it is trained first if it is not there yet."""
    context = replace(context, seed=recipe.seed)
    folder = recipe.place(pool).learned(context, lambda own: _learn(recipe, pool, own), partial(_write, recipe, pool))
    size, name = f"{recipe.layers} x {recipe.width}", recipe.name(pool)
    tokenizer = load_tokenizer(folder)
    own = np.unique(encode_titles(tokenizer, pool.occupations, recipe.options()).ids)
    return OpenedBase(
        model=load_causal_lm(folder),
        tokenizer=tokenizer,
        label=f"builtin: Llama {size}, pre-trained on {recipe.pool} (recipe {name})",
        any_title=symbol_ids(tokenizer, recipe.symbols) if recipe.symbols else own,
    )


def _learn(recipe: BaseRecipe, pool: Panel, context: Context) -> tuple[Any, PreTrainedTokenizerBase]:
    tokenizer = train_tokenizer(pool, recipe.vocabulary, recipe.context, recipe.options())
    add_symbols(tokenizer, recipe.symbols)
    return pretrain(recipe, pool, tokenizer, context), tokenizer


def _write(
    recipe: BaseRecipe, pool: Panel, learned: tuple[Any, PreTrainedTokenizerBase], folder: Path, seconds: float
) -> None:
    content = {**asdict(recipe), "pool_fingerprint": pool.fingerprint(), "seconds": seconds}
    with silence_libraries():
        for part in learned:
            part.save_pretrained(folder)
    (folder / "recipe.json").write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def train_tokenizer(
    pool: Panel, vocabulary: int, context: int, options: TextOptions = EVERYTHING
) -> PreTrainedTokenizerBase:
    """Byte-level BPE over blank-delimited words of the pool's resumes; any other text falls back to its bytes."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(r"\n| ?[^\s]+|\s"), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=[PAD, START],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_pool_texts(pool, options), trainer)
    fast: Any = PreTrainedTokenizerFast
    made: PreTrainedTokenizerBase = fast(
        tokenizer_object=tokenizer, bos_token=START, pad_token=PAD, model_max_length=context
    )
    return made


def _pool_texts(pool: Panel, options: TextOptions) -> Iterator[str]:
    """Every piece of every resume, as often as it occurs."""
    text = resume_text(pool, options)
    for strings, index in (
        (text.headers.strings, text.headers.index),
        (text.heads.strings, text.heads.index),
        (text.titles, pool.state),
    ):
        for string, count in zip(strings, np.bincount(index, minlength=len(strings)), strict=True):
            for _ in range(int(count)):
                yield string


def pretrain(recipe: BaseRecipe, pool: Panel, tokenizer: PreTrainedTokenizerBase, context: Context) -> Any:
    """A causal language model of all of the pool's resumes, from random weights, for ``recipe.tokens`` tokens."""
    data = _pool_examples(recipe, pool, tokenizer)
    with torch.random.fork_rng():
        torch.manual_seed(recipe.seed)
        model: Any = LlamaForCausalLM(_config(recipe, len(tokenizer), tokenizer))
    schedule = Schedule(
        pace=TokenBudget(budget=recipe.tokens),
        learning_rate=recipe.learning_rate,
        batch_tokens=recipe.batch_tokens,
        weight_decay=WEIGHT_DECAY,
        average=None,
        checkpoint_seconds=CHECKPOINT_SECONDS,
    )
    trainee = BaseTrainee(model.to(context.device), data, int(tokenizer.pad_token_id or 0), recipe)
    train(
        trainee,
        schedule,
        context=replace(context, seed=recipe.seed),
        name="base",
        label=f"pre-training the base on {recipe.pool}",
    )
    return model.cpu()


class BaseTrainee:
    """A language model that learns from a pool of resumes, nobody held out (``harness.training.loop.Trainee``)."""

    group, watched, windows = SINGLE, False, 1

    def __init__(self, model: Any, data: Examples, pad: int, recipe: BaseRecipe) -> None:
        self.model, self.data, self.pad, self.recipe = model, data, pad, recipe
        self.trained = dict(model.named_parameters())
        self.optimizer = adamw(list(self.trained.values()), WEIGHT_DECAY)
        self.tokens = len(data.tokens.ids)

    def key(self, schedule: Schedule) -> str:
        """Digest of weights, recipe and tokens."""
        return training_key(self.model, self.recipe, self.data.tokens.ids, self.data.tokens.offsets)

    @contextmanager
    def steps(self) -> Iterator[EpochSteps]:
        """Threads, for all of the training."""
        with workers(self.model.device.type) as (pool, count):
            stepping = Stepping(pool=pool, workers=count)
            yield lambda: nullcontext(stepping)

    def epoch(self, number: int, strength: float) -> EpochData:
        """Every resume of the pool."""
        loss = TokenLoss(model=self.model, pad=self.pad, read=reading(self.model))
        return EpochData(lengths=self.data.tokens.lengths, loss=loss.of(self.data), packed=False)

    def validation_loss(self) -> float:
        """Of nobody."""
        return 0.0


def _pool_examples(recipe: BaseRecipe, pool: Panel, tokenizer: PreTrainedTokenizerBase) -> Examples:
    """Every resume of the pool, part of them in disguise."""
    panels = disguised(pool, recipe.disguised, recipe.symbols, recipe.seed) if recipe.symbols else (pool,)
    pieces, options = PieceEncoder(tokenizer), recipe.options()
    resumes = [Resumes(panel, pieces, recipe.context, options) for panel in panels]
    return Examples.joined([examples(part, recipe.loss) for part in resumes])


def _config(recipe: BaseRecipe, vocabulary: int, tokenizer: PreTrainedTokenizerBase) -> LlamaConfig:
    return LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=recipe.width,
        intermediate_size=round(recipe.width * 8 / 3 / 32) * 32,
        num_hidden_layers=recipe.layers,
        num_attention_heads=recipe.heads,
        max_position_embeddings=recipe.context,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=None,
        pad_token_id=tokenizer.pad_token_id,
        tie_word_embeddings=True,  # a new title's token is soon read as it is written
        initializer_range=0.02,
    )
