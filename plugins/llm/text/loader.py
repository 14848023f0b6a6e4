"""Opens causal language models and their tokenizers, from a folder or from the Hugging Face hub."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from tokenizers import AddedToken
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerBase

from harness.errors import RequestError
from harness.system.content import PATHS
from harness.training.libraries import silence_libraries
from harness.types import IntArray

# Where a configuration says how many positions a model was built for.
CONTEXT_NAMES = ("max_position_embeddings", "n_positions", "n_ctx", "max_seq_len", "sliding_window")
SHORT_ROPE = "original_max_position_embeddings"
LONGEST_CONTEXT = 4096
KINDS = "'builtin', 'smollm2', a GGUF file"  # of bases that are no folder and no hub name


def load_tokenizer(source: str | Path, subfolder: str = "", revision: str | None = None) -> PreTrainedTokenizerBase:
    """The tokenizer of a folder or hub name, or of a folder inside it; RequestError where there is none.

    revision: a commit of the hub's repository.
    """
    with silence_libraries(), _explained(source, "tokenizer", subfolder):
        tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(
            str(source), subfolder=subfolder, trust_remote_code=False, **_at(revision)
        )
        return tokenizer


def load_causal_lm(source: str | Path, subfolder: str = "", revision: str | None = None) -> Any:
    """The causal language model of a folder or hub name, float32, safetensors only; errors as of ``load_tokenizer``."""
    # Weights are drawn before they are read; nobody else's draws are to move.
    with silence_libraries(), _explained(source, "model", subfolder), torch.random.fork_rng():
        opened: Any = AutoModelForCausalLM.from_pretrained(
            str(source),
            subfolder=subfolder,
            dtype=torch.float32,
            use_safetensors=True,
            trust_remote_code=False,
            output_loading_info=True,
            **_at(revision),
        )
        model, told = opened
        if told["missing_keys"]:  # which transformers fills with random numbers
            lacking = ", ".join(sorted(told["missing_keys"])[:3])
            raise ValueError(f"its files lack weights of a {type(model).__name__}, such as {lacking}")
        return model


def _at(revision: str | None) -> dict[str, str]:
    return {} if revision is None else {"revision": revision}


@contextmanager
def _explained(source: str | Path, part: str, subfolder: str) -> Iterator[None]:
    if isinstance(source, Path) or source.startswith(PATHS):
        folder = Path(source).expanduser() / subfolder
        if not (folder / "config.json").is_file():
            raise RequestError(f"base '{folder}' is not a folder with a language model: it has no config.json")
    try:
        yield
    except (OSError, ValueError, ImportError, KeyError) as error:
        first = str(error).strip().split("\n")[0]
        raise RequestError(
            f"the {part} of base '{source}' cannot be opened: it must be {KINDS}, a folder that save_pretrained "
            f"wrote (safetensors), or a hub name that this machine has cached or can reach ({first})"
        ) from error


def causal_of(model: Any) -> Any:
    """The causal language model itself, adapters inside, of one that peft may have wrapped."""
    return model.get_base_model() if hasattr(model, "get_base_model") else model


def context_length(model: Any) -> int:
    """The most tokens that the model can attend to in one sequence.

    A sliding window counts as the context: within it, sliding and full attention are the same. So does the length up to
    which LongRoPE scales positions by its short factors: past it, how far a text goes on would move its beginning.
    """
    config = model.config.get_text_config()
    known = [getattr(config, name, None) for name in CONTEXT_NAMES]
    rope = getattr(config, "rope_parameters", None) or {}
    if rope.get("rope_type") == "longrope":
        known += [rope.get(SHORT_ROPE), getattr(config, SHORT_ROPE, None)]
    return min([int(length) for length in known if isinstance(length, int) and length > 0] + [LONGEST_CONTEXT])


def _vocabulary(model: Any) -> int:
    return int(model.get_input_embeddings().weight.shape[0])


def weights_of(model: Any) -> dict[str, Any]:
    """The model's weights by name, as safetensors takes them: each once, where an output head is the embeddings."""
    seen: set[int] = set()
    found = {}
    for name, value in model.state_dict().items():
        if value.data_ptr() not in seen or not value.numel():
            found[name] = value
            seen.add(value.data_ptr())
    return found


def layers_of(model: Any) -> frozenset[str]:
    """Names of the classes of the model's layers, as the architecture has them; none where it does not say."""
    return frozenset(causal_of(model)._no_split_modules or ())


def embedding_modules(model: Any) -> list[str]:
    """The input embeddings and the output head, by the names that peft's ``modules_to_save`` knows them by."""
    ends = (model.get_input_embeddings(), model.get_output_embeddings())
    return [name.rsplit(".", 1)[-1] for name, module in model.named_modules() if any(module is end for end in ends)]


def extend_vocabulary(
    model: Any, tokenizer: PreTrainedTokenizerBase, texts: list[str], like: IntArray | None = None
) -> int:
    """Give every text (a word, a whole title) that takes several tokens one of its own; how many there were.

    A career in trades that the base has never read costs a third of the tokens this way.
    like: int64 [t], tokens that stood for any title in the base's training. New tokens are then drawn as random
    mixtures of them, each with the same weights in the input embedding and in the output head: what the base learned
    linearly, to repeat a title above all, holds for such a mixture as for the tokens in it. Without ``like``, a new
    token stands at the mean of those it replaces.
    """
    pieces = {text: ids for text in texts if len(ids := tokenizer.encode(text, add_special_tokens=False)) > 1}
    if not pieces:
        return 0
    tokenizer.add_tokens([AddedToken(text, normalized=False) for text in pieces])
    new = torch.tensor(tokenizer.convert_tokens_to_ids(list(pieces)))
    with silence_libraries(), torch.random.fork_rng():
        model.resize_token_embeddings(max(len(tokenizer), _vocabulary(model)), mean_resizing=False)
    mixing = torch.zeros(len(pieces), _vocabulary(model))  # of old tokens in each new one
    if like is None:
        for i, ids in enumerate(pieces.values()):
            mixing[i].index_add_(0, torch.tensor(ids), torch.full((len(ids),), 1 / len(ids)))
    else:
        # The mean of the old tokens, and deviations from it of their own size in random directions.
        draws = torch.randn(len(pieces), len(like), generator=torch.Generator().manual_seed(0)) / len(like) ** 0.5
        mixing[:, torch.from_numpy(like)] = draws + (1 - draws.sum(1, keepdim=True)) / len(like)
    with torch.no_grad():
        for table in {id(end): end for end in (model.get_input_embeddings(), model.get_output_embeddings())}.values():
            table.weight[new] = mixing @ table.weight
    return len(pieces)
