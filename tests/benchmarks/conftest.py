"""Common to the benchmarks of the language model's scoring: one model, the same careers, and how cost is measured.

Seconds are of processor time, all threads together: machines are shared, and only the ratios within one process say
something. Methods that are compared take turns, and of each the least disturbed round counts.
"""

from __future__ import annotations

import ctypes
import gc
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers.paths import SURVEY
from helpers.tiny_llm import fast_tokenizer

from harness import open_panel
from harness.panel.careers import Panel
from harness.plugins.llm.text.pieces import PieceEncoder
from harness.plugins.llm.text.resume import resume_text
from harness.plugins.llm.text.tokens import Resumes

CAREERS, TRANSITIONS, CONTEXT, PAD, THREADS = 5, 4, 2048, 0, 2  # transitions of each career
Ask = Callable[[], np.ndarray]


@dataclass
class Cost:
    """Of one method. wall, cpu: seconds per transition; rows: its answer."""

    wall: float
    cpu: float
    rows: np.ndarray


@dataclass
class Study:
    """A model, its tokenizer, five careers, and twenty transitions in their last quarters.

    Before those stand 164 tokens in the mean, as in the prototype that the ratios are to reach. few: positions in
    ``targets`` of the one of median history, which alone is put to methods of many seconds a transition.
    """

    model: Any
    tokenizer: Any
    panel: Panel
    targets: np.ndarray
    few: np.ndarray

    def resumes(self) -> Resumes:
        return Resumes(self.panel, PieceEncoder(self.tokenizer), CONTEXT)

    @property
    def observed(self) -> np.ndarray:
        return np.asarray(self.panel.state[self.targets].astype(np.int64)[:, None])

    def every_state(self, n: int) -> np.ndarray:
        return np.broadcast_to(np.arange(self.panel.n_states), (n, self.panel.n_states))

    def history(self, i: int) -> np.ndarray:
        windows = self.resumes().windows(self.targets)
        return windows.tokens[windows.window[i]][: windows.at[i] + 1]

    def lm_eval(self, rows: np.ndarray, states: np.ndarray, batch: int, threads: int = 1) -> np.ndarray:
        """The way of a user of lm-evaluation-harness: a request for each choice, prompt and title as text.

        One thread by default: two that wait for each other on a busy machine burn processor time that is not work.
        """
        from lm_eval.api.instance import Instance
        from lm_eval.models.huggingface import HFLM

        titles = resume_text(self.panel).titles
        torch.set_num_threads(threads)
        lm = HFLM(pretrained=self.model, tokenizer=self.tokenizer, batch_size=batch, max_length=CONTEXT, device="cpu")
        requests = []
        for i, asked in zip(rows, states, strict=True):
            prompt = self.tokenizer.decode(self.history(i), clean_up_tokenization_spaces=False)
            requests += [Instance("loglikelihood", {}, (prompt, f"{titles[k]}\n"), 0) for k in asked]
        answers = lm.loglikelihood(requests, disable_tqdm=True)
        torch.set_num_threads(THREADS)
        return np.array([value for value, _ in answers]).reshape(states.shape)

    @contextmanager
    def ctranslate2(self) -> Iterator[Callable[[np.ndarray, np.ndarray], np.ndarray]]:
        """CTranslate2's scores of titles after histories, a sequence a choice; the model is converted once.

        One thread and batches of four, which took it the least processor time.
        """
        import ctranslate2

        events = self.resumes().events
        with tempfile.TemporaryDirectory() as folder:
            source, converted = Path(folder) / "transformers", Path(folder) / "ctranslate2"
            self.model.save_pretrained(source)
            self.tokenizer.save_pretrained(source)
            ctranslate2.converters.TransformersConverter(str(source)).convert(str(converted))
            config = json.loads((converted / "config.json").read_text())
            config |= {name: "<pad>" for name, value in config.items() if name.endswith("_token") and not value}
            (converted / "config.json").write_text(json.dumps(config))  # it takes no model without an end-of-text token
            model = ctranslate2.Generator(str(converted), compute_type="float32", inter_threads=1, intra_threads=1)

            def score(rows: np.ndarray, states: np.ndarray) -> np.ndarray:
                sequences, after = [], []
                for i, asked in zip(rows, states, strict=True):
                    history = self.history(i)
                    for k in asked:
                        title = events.ids[events.offsets[k] : events.offsets[k + 1]]
                        sequences.append(self.tokenizer.convert_ids_to_tokens([*history.tolist(), *title.tolist()]))
                        after.append(len(history) - 1)
                said = model.score_batch(sequences, max_batch_size=4, batch_type="examples")
                return np.array([sum(one.log_probs[start:]) for one, start in zip(said, after, strict=True)]).reshape(
                    states.shape
                )

            yield score


def byte_level_bpe(panel: Panel) -> Any:
    """GPT-2's kind of tokenizer, trained on the resumes until no pair of tokens is left to merge."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    text = resume_text(panel)
    lines = [*text.headers.strings, *text.heads.strings, *text.titles]
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=2415, special_tokens=["<pad>", "<s>"], show_progress=False)
    trainer.initial_alphabet = pre_tokenizers.ByteLevel.alphabet()
    tokenizer.train_from_iterator(lines, trainer)
    return fast_tokenizer(tokenizer, bos_token="<s>", pad_token="<pad>", model_max_length=CONTEXT)


class Meter:
    """Costs of methods, and how they are printed."""

    def llama(self, vocabulary: int, layers: int = 6, width: int = 256) -> Any:
        """Random weights."""
        from transformers import LlamaConfig, LlamaForCausalLM

        torch.manual_seed(0)
        config = LlamaConfig(
            vocab_size=vocabulary,
            hidden_size=width,
            intermediate_size=round(width * 8 / 3 / 32) * 32,
            num_hidden_layers=layers,
            num_attention_heads=width // 64,
            max_position_embeddings=CONTEXT,
            bos_token_id=1,
            eos_token_id=None,
            pad_token_id=PAD,
        )
        return LlamaForCausalLM(config).train(False)

    def matrix_rate(self, dtype: torch.dtype = torch.float32) -> float:
        """Operations a second of one thread in a product of 1,024 tokens with a matrix of a base's layers."""
        tokens, weight = torch.randn(1024, 576).to(dtype), torch.randn(576, 1536).to(dtype)
        before, best = torch.get_num_threads(), 0.0
        torch.set_num_threads(1)
        for _ in range(5):
            start = time.process_time()
            for _ in range(50):
                tokens @ weight
            best = max(best, 50 * 2 * 1024 * 576 * 1536 / (time.process_time() - start))
        torch.set_num_threads(before)
        return best

    def cost(self, ask: Ask, transitions: int) -> Cost:
        wall, cpu = time.perf_counter(), time.process_time()
        rows = ask()
        return Cost((time.perf_counter() - wall) / transitions, (time.process_time() - cpu) / transitions, rows)

    def in_turns(self, methods: dict[str, tuple[Ask, int]], rounds: int) -> dict[str, Cost]:
        """The least cost of each of (what to ask, of how many transitions)."""
        least: dict[str, Cost] = {}
        for _ in range(rounds):
            for name, (ask, transitions) in methods.items():
                cost = self.cost(ask, transitions)
                known = least.get(name, cost)
                least[name] = Cost(min(known.wall, cost.wall), min(known.cpu, cost.cpu), cost.rows)
        return least

    def peak(self, ask: Ask) -> float:
        """MB of memory at the peak over the start; Linux and glibc."""
        c = ctypes.CDLL(None)
        # Every tensor in pages of its own, given back when it goes: what earlier methods freed is not there to be used
        # unseen. Slower, so time is not taken here.
        c.mallopt(-3, 1 << 16)  # M_MMAP_THRESHOLD
        gc.collect()
        c.malloc_trim(0)
        Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
        start = resident("VmRSS")
        ask()
        peak = resident("VmHWM")
        c.mallopt(-3, 32 << 20)
        return (peak - start) / 1024

    def say(self, line: str) -> None:
        sys.stderr.write(line + "\n")


def resident(name: str) -> int:
    """Kilobytes, Linux."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith(name)))


@pytest.fixture(scope="session")
def meter() -> Meter:
    return Meter()


@pytest.fixture(scope="session")
def survey() -> Panel:
    if not SURVEY.is_dir():
        pytest.skip("the survey extract is not on this machine")
    return open_panel(SURVEY)


def study_of(survey: Panel, model: Any, tokenizer: Any) -> Study:
    """The same careers and transitions for any model."""
    test = survey.part("test")
    long = np.flatnonzero(np.diff(test.offsets) >= 20)
    panel = test.select(long[:: len(long) // CAREERS][:CAREERS])
    bounds = zip(panel.offsets[:-1], panel.offsets[1:], strict=True)
    spread = [np.linspace((first + 3 * stop) // 4, stop - 1, TRANSITIONS).astype(int) for first, stop in bounds]
    study = Study(model, tokenizer, panel, np.concatenate(spread), np.zeros(0, int))
    order = np.argsort(study.resumes().windows(study.targets).at)
    study.few = order[[len(order) // 2]]
    return study


@pytest.fixture(scope="module")
def study(survey: Panel, meter: Meter) -> Iterator[Study]:
    threads = torch.get_num_threads()
    torch.set_num_threads(THREADS)
    tokenizer = byte_level_bpe(survey)
    yield study_of(survey, meter.llama(len(tokenizer)), tokenizer)
    torch.set_num_threads(threads)
