"""The builtin base: a small Llama-architecture model, pre-trained once on a pool of resumes and cached."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.errors import RequestError
from harness.panel import Panel
from harness.plugins.llm.base.symbols import add_symbols, disguised, symbol_ids
from harness.plugins.llm.scoring.head import reading
from harness.plugins.llm.text.loader import load_causal_lm, load_tokenizer
from harness.plugins.llm.text.resume import resume_text
from harness.plugins.llm.text.tokens import Resumes, encode_titles
from harness.plugins.llm.tuning.step import Examples, Loss, Step, examples
from harness.system.files import publishing, unfinished
from harness.training.checkpoint import Checkpoint, live_tensors, training_key
from harness.training.libraries import quiet
from harness.training.order import Order
from harness.training.step import adamw
from harness.training.workers import workers
from harness.types import IntArray

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from harness.model import Context
    from harness.plugins.llm.params import LlmParams

# Raise it with any change of what a recipe makes, so that no cached base made by older code is taken for a new one.
VERSION = 3
START, PAD = "<s>", "<pad>"
CHECKPOINT_SECONDS = 60.0


@dataclass(frozen=True)
class Recipe:
    """All that decides what the base becomes. Sizes in tokens, layers and dimensions.

    symbols, disguised: tokens that stand for any occupation, and the share of the pool's persons whose occupations are
    read as such (``symbols``).
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
    seed: int = 0
    version: int = VERSION

    def key(self, fingerprint: str) -> str:
        """16 hexadecimal digits: of the recipe, and of what is in the pool."""
        content = json.dumps([asdict(self), fingerprint], sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()[:16]


def recipe_of(p: LlmParams) -> Recipe:
    """How the builtin base of these parameters is made. RequestError where heads do not divide the width."""
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
        symbols=p.base_symbols,
        disguised=p.base_disguised,
        loss=p.base_loss,
    )


@dataclass(frozen=True)
class Base:
    """A base model ready to be tuned, and what boards call it.

    any_title: int64 [t], tokens that stood for titles in its training, for any title at best, so that a new one can
    start as a mixture of them; None where nobody knows.
    """

    model: Any
    tokenizer: PreTrainedTokenizerBase
    label: str
    any_title: IntArray | None = None


def builtin_base(recipe: Recipe, pool: Panel, context: Context) -> Base:
    """The base of a recipe, from the cache, where it is trained first if it is not there yet."""
    key = recipe.key(pool.fingerprint())
    folder = base_folder(recipe, pool, context.cache)
    if not folder.is_dir():
        _publish(recipe, pool, context, folder)
    label = f"builtin: Llama {recipe.layers} x {recipe.width}, pre-trained on {recipe.pool} (recipe {key[:8]})"
    tokenizer = load_tokenizer(folder)
    own = np.unique(encode_titles(tokenizer, pool.occupations).ids)
    any_title = symbol_ids(tokenizer, recipe.symbols) if recipe.symbols else own
    return Base(load_causal_lm(folder), tokenizer, label, any_title)


def base_folder(recipe: Recipe, pool: Panel, cache: Path) -> Path:
    """Where the cache keeps the base of a recipe and a pool, whether it is there or not."""
    return cache / "llm-bases" / recipe.key(pool.fingerprint())


def _publish(recipe: Recipe, pool: Panel, context: Context, folder: Path) -> None:
    """Train beside the final place and move the finished folder there, so that a half-written base is never found."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with unfinished(context.cache, f"llm-base-{folder.name}") as scratch:
        tokenizer = train_tokenizer(pool, recipe.vocabulary, recipe.context)
        add_symbols(tokenizer, recipe.symbols)
        model = pretrain(recipe, pool, tokenizer, replace(context, scratch=scratch.folder))
        content = {**asdict(recipe), "pool_fingerprint": pool.fingerprint()}
        with publishing(folder) as draft, quiet():
            model.save_pretrained(draft)
            tokenizer.save_pretrained(draft)
            (draft / "recipe.json").write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def train_tokenizer(pool: Panel, vocabulary: int, context: int) -> PreTrainedTokenizerBase:
    """Byte-level BPE over blank-delimited words of the pool's resumes; any other text falls back to its bytes."""
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

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
    tokenizer.train_from_iterator(_pool_texts(pool), trainer)
    fast: Any = PreTrainedTokenizerFast
    made: PreTrainedTokenizerBase = fast(
        tokenizer_object=tokenizer, bos_token=START, pad_token=PAD, model_max_length=context
    )
    return made


def _pool_texts(pool: Panel) -> Iterator[str]:
    """Every piece of every resume, as often as it occurs."""
    text = resume_text(pool)
    for strings, index in (
        (text.headers.strings, text.headers.index),
        (text.heads.strings, text.heads.index),
        (text.titles, pool.state),
    ):
        for string, count in zip(strings, np.bincount(index, minlength=len(strings)), strict=True):
            for _ in range(int(count)):
                yield string


def pretrain(recipe: Recipe, pool: Panel, tokenizer: PreTrainedTokenizerBase, context: Context) -> Any:
    """A causal language model of all of the pool's resumes, from random weights, for ``recipe.tokens`` tokens."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    data = _pool_examples(recipe, pool, tokenizer)
    with torch.random.fork_rng():
        torch.manual_seed(recipe.seed)
        model: Any = LlamaForCausalLM(_config(LlamaConfig, recipe, len(tokenizer), tokenizer))
    model.to(context.device).train()
    named = dict(model.named_parameters())
    optimizer = adamw(list(named.values()), weight_decay=0.1)
    tensors = live_tensors(named, optimizer)
    run = _Run(recipe, data)
    key = training_key(model, recipe, data.tokens.ids, data.tokens.offsets)
    path = context.scratch / "base.safetensors"
    checkpoint = Checkpoint(path, key, tensors, run.state, CHECKPOINT_SECONDS, context.progress)
    resumed = checkpoint.load(run.restore)
    with (
        workers(context.device) as (pool_of_threads, count),
        context.progress.bar(f"pre-training the base on {recipe.pool}", recipe.tokens) as bar,
    ):
        if resumed:
            bar.advance(run.tokens)
        step = Step(model, optimizer, int(tokenizer.pad_token_id or 0), pool_of_threads, count, reading(model))
        for batch in run:
            step(data, batch, recipe.learning_rate * _warm_up_and_decay(run.tokens / recipe.tokens))
            bar.advance(run.count(batch))
            checkpoint.save_if_due()
    return model.cpu()


def _pool_examples(recipe: Recipe, pool: Panel, tokenizer: PreTrainedTokenizerBase) -> Examples:
    """Every resume of the pool, part of them in disguise."""
    panels = disguised(pool, recipe.disguised, recipe.symbols, recipe.seed) if recipe.symbols else (pool,)
    parts = []
    for panel in panels:
        events = encode_titles(tokenizer, panel.occupations)
        parts.append(examples(Resumes(panel, tokenizer, events, recipe.context), recipe.loss))
    return Examples.joined(parts)


class _Run:
    """The batches of a recipe's pre-training, epoch after epoch until its tokens are used up."""

    def __init__(self, recipe: Recipe, data: Examples) -> None:
        self.recipe = recipe
        self.lengths = data.tokens.lengths
        self.order = Order(recipe.batch_tokens, recipe.seed)
        self.tokens = 0

    def state(self) -> dict[str, Any]:
        """JSON-able; with it, ``restore`` makes a new run go on where this one is."""
        return {**self.order.state(), "tokens": self.tokens}

    def restore(self, state: dict[str, Any]) -> None:
        """Become the run that ``state`` was asked of."""
        self.order.restore(state)
        self.tokens = state["tokens"]

    def __iter__(self) -> Iterator[IntArray]:
        while True:
            for batch in self.order.epoch(self.lengths)[self.order.step :]:
                if self.tokens >= self.recipe.tokens:
                    return
                yield batch
            self.order.next_epoch()

    def count(self, batch: IntArray) -> int:
        """Counts a batch as done; its tokens."""
        tokens = int(self.lengths[batch].sum())
        self.order.step += 1
        self.tokens += tokens
        return tokens


def _warm_up_and_decay(share: float) -> float:
    """The learning rate as a share of its peak: up over the first twentieth, then down in a straight line to 1/20."""
    return min(share / 0.05 + 0.02, 1.0 - 0.95 * share)


def _config(config: Any, recipe: Recipe, vocabulary: int, tokenizer: PreTrainedTokenizerBase) -> Any:
    return config(
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
