"""Checkpoints of a training under way: all that decides how it goes on, in one safetensors file.

The file is written beside its final place and renamed over the one before, so that a kill leaves one or the other,
whole. It carries a key of the training that it belongs to and a checksum of its content: one that fits in neither is
passed over, and the training starts anew.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from harness.system.progress import Progress
from harness.training.process_group import SINGLE, ProcessGroup
from harness.training.shards import give_out, is_sharded, whole

if TYPE_CHECKING:
    import torch

    Tensors: TypeAlias = dict[str, torch.Tensor]

# The most of the time that checkpoints may take: a large model is written more seldom than asked for.
SHARE = 0.05
SAMPLED = 1024  # numbers of each tensor that the key of a training looks at


@dataclass
class Checkpoint:
    """The checkpoint of one training.

    path: a .safetensors file, there or not. key: of the training. tensors: its live tensors by name, read and written
    in place. state: gives all else that decides how it goes on, JSON-able. seconds: between two checkpoints; 0 for one
    at every chance. group: the processes that train; the main one writes and reads, and the others have it from it.
    """

    path: Path
    key: str
    tensors: Tensors
    state: Callable[[], Mapping[str, Any]]
    seconds: float
    progress: Progress
    group: ProcessGroup = SINGLE
    _last: float = field(default_factory=time.monotonic)
    _cost: float = 0.0

    def save_if_due(self) -> None:
        """Save, if it is time for the next one."""
        wait = max(self.seconds, self._cost / SHARE) if self.seconds else 0.0
        due = time.monotonic() - self._last >= wait
        if self.group.from_main((), due) if self._shards() else due:
            self.save()

    def _shards(self) -> Tensors:
        """Those of the tensors that the processes hold in shards: all of them must save and load together."""
        return {name: tensor for name, tensor in self.tensors.items() if is_sharded(tensor)}

    def save(self) -> None:
        """Write what is live now. Where the disk is full, say so and go on: training needs no checkpoint."""
        from safetensors import SafetensorError
        from safetensors.torch import save_file

        start = time.monotonic()
        if self.group.rank:
            for tensor in self._shards().values():
                whole(tensor)
            return
        content = {name: whole(tensor).cpu().contiguous() for name, tensor in self.tensors.items()}
        text = json.dumps(self.state())
        about = {"key": self.key, "state": text, "check": _checksum(content, text)}
        draft = self.path.with_suffix(".partial")
        try:
            save_file(content, draft, metadata=about)
            os.replace(draft, self.path)
        except (OSError, SafetensorError) as error:
            draft.unlink(missing_ok=True)
            self.progress.note(f"no checkpoint could be written to {self.path} ({error})")
        self._last = time.monotonic()
        self._cost = self._last - start

    def load(self, restore: Callable[[dict[str, Any]], None]) -> bool:
        """Copy the file into the live tensors and hand its state to ``restore``; False, and nothing done, without one.

        A file that belongs elsewhere or is damaged is passed over with a note.
        """
        found = None if self.group.rank else self._found()
        shards = self._shards()
        plain = [tensor for name, tensor in self.tensors.items() if name not in shards]
        state = self.group.from_main(plain, None if found is None else found[1])
        if state is None:
            return False
        if shards:
            give_out(shards, None if found is None else found[0])
        restore(state)
        self.progress.note(f"going on from the checkpoint {self.path}")
        return True

    def _found(self) -> tuple[Tensors, dict[str, Any]] | None:
        """The tensors and the state in the file, these copied into the live ones that are whole; or None."""
        import torch
        from safetensors import SafetensorError

        if not self.path.exists():
            return None
        try:
            kept, state = self._read()
        except (OSError, KeyError, ValueError, SafetensorError) as error:
            reason = str(error).split("\n")[0]
            self.progress.note(f"starting anew: the checkpoint {self.path} cannot be used ({reason})")
            return None
        with torch.no_grad():
            for name, tensor in self.tensors.items():
                if not is_sharded(tensor):
                    tensor.copy_(kept[name])
        return kept, state

    def _read(self) -> tuple[Tensors, dict[str, Any]]:
        from safetensors import safe_open

        with safe_open(self.path, framework="pt") as file:
            about = file.metadata() or {}
            if about.get("key") != self.key:
                raise ValueError("it is of another training")
            kept = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        if about["check"] != _checksum(kept, about["state"]):
            raise ValueError("it is damaged")
        shapes = ({name: (t.shape, t.dtype) for name, t in some.items()} for some in (kept, self.tensors))
        if next(shapes) != next(shapes):
            raise ValueError("its parameters have other names or shapes")
        state: dict[str, Any] = json.loads(about["state"])
        return kept, state


def _checksum(tensors: Tensors, text: str) -> str:
    import torch

    check = zlib.crc32(text.encode())
    for name in sorted(tensors):
        check = zlib.crc32(name.encode(), check)
        check = zlib.crc32(tensors[name].reshape(-1).view(torch.uint8).numpy().data, check)
    return f"{check:08x}"


def live_tensors(
    trained: Mapping[str, torch.nn.Parameter], optimizer: torch.optim.Optimizer, **copies: Sequence[torch.Tensor]
) -> Tensors:
    """All tensors that decide how a training goes on: the parameters, copies of them by kind, the optimiser's state."""
    found = _adam_state(trained, optimizer)
    for kind, values in {"trained": trained.values(), **copies}.items():
        found |= {f"{kind}/{name}": value for name, value in zip(trained, values, strict=True)}
    return found


def _adam_state(trained: Mapping[str, torch.nn.Parameter], optimizer: torch.optim.Optimizer) -> Tensors:
    """The live state of a fused AdamW, made as its first step would make it where there has been none."""
    import torch

    found: Tensors = {}
    for name, parameter in trained.items():
        state = optimizer.state[parameter]
        if not state:
            state["step"] = torch.zeros((), dtype=torch.float32, device=parameter.device)
            state["exp_avg"] = torch.zeros_like(parameter, memory_format=torch.preserve_format)
            state["exp_avg_sq"] = torch.zeros_like(parameter, memory_format=torch.preserve_format)
        found |= {f"{kind}/{name}": tensor for kind, tensor in state.items()}
    return found


def training_key(model: Any, *of: Any) -> str:
    """64 hexadecimal digits: of a sample of the model's weights as they are now, and of what it is trained on and how.

    of: arrays, and anything whose ``repr`` says all of it.
    """
    digest = hashlib.sha256(str(model).encode())
    for name, parameter in model.named_parameters():
        flat = parameter.detach().reshape(-1)
        sample = flat[:: max(1, len(flat) // SAMPLED)].float().cpu().numpy()
        digest.update(f"{name} {tuple(parameter.shape)}".encode() + sample.tobytes())
    for part in of:
        digest.update(np.ascontiguousarray(part).tobytes() if isinstance(part, np.ndarray) else repr(part).encode())
    return digest.hexdigest()
