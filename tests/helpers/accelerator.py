"""An accelerator without hardware: torch places tensors on a device of its own, whose memory is the machine's.

The device is torch's PrivateUse1, played by a tensor subclass that holds a CPU tensor. An operation on it computes on
the CPU, so that fits run whole and their numbers can be compared; an operation that is given tensors of both places
fails, as it would on a GPU, and is noted, because code that tries something once goes on without it. So a tensor that
was left on the CPU is found by a machine that has no other device.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache, partial
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils import backend_registration
from torch.utils._pytree import tree_leaves, tree_map_only
from transformers import cache_utils

NAME = "toy"
ATEN: Any = torch.ops.aten
INTO: Mapping[Any, int] = {  # copies between places -> which argument is copied into
    ATEN.copy_.default: 0,
    ATEN._copy_from.default: 1,
}
# On a GPU too, what is indexed decides, and indices may be on the CPU.
INDEXING = (ATEN.index.Tensor, ATEN.index_put.default, ATEN.index_put_.default, ATEN._index_put_impl_.default)
# What torch makes by resizing a tensor of no size, which the subclass cannot.
MAKERS = ("arange", "arange.start", "arange.start_step", "eye", "eye.m", "linspace", "randperm", "randperm.generator")
GENERATOR = torch.Generator


class Placed(Tensor):
    """A tensor on the accelerator. raw: its numbers, on the CPU."""

    raw: Tensor

    @staticmethod
    def __new__(cls, raw: Tensor) -> Placed:
        make: Any = Tensor._make_wrapper_subclass
        layout = {"strides": raw.stride(), "storage_offset": raw.storage_offset(), "dtype": raw.dtype}
        made: Placed = make(cls, raw.shape, device=torch.device(NAME, 0), **layout)
        made.raw = raw
        return made

    __torch_function__: Any = torch._C._disabled_torch_function_impl  # an attribute is the tensor's own

    @classmethod
    def __torch_dispatch__(  # type: ignore[override]
        cls, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        parts = func.decompose(*args, **(kwargs or {}))  # without gradients, torch leaves that to us
        return compute(func, args, kwargs or {}) if parts is NotImplemented else parts

    def data_ptr(self) -> int:
        return self.raw.data_ptr()

    def untyped_storage(self) -> torch.UntypedStorage:
        return self.raw.untyped_storage()


class PlacedGenerator(torch.Generator):
    """A generator of the accelerator where it is asked for, a plain one elsewhere."""

    def __new__(cls, device: Any = "cpu") -> Any:
        return GENERATOR.__new__(cls if _is_here(device) else GENERATOR)

    def __init__(self, device: Any = "cpu") -> None:
        """The device is known by the class."""

    @property
    def device(self) -> torch.device:  # type: ignore[override]
        return torch.device(NAME, 0)


class AcceleratorModule:
    """The module of a device, as torch asks for one. The accelerator draws from the CPU's generator."""

    def is_available(self) -> bool:
        return True

    is_initialized = is_available

    def device_count(self) -> int:
        return 1

    def current_device(self) -> int:
        return 0

    def _is_in_bad_fork(self) -> bool:
        return False

    def manual_seed_all(self, seed: int) -> None:
        """torch.manual_seed has seeded the CPU's."""

    def get_rng_state(self, device: Any = None) -> Tensor:
        return torch.get_rng_state()

    def set_rng_state(self, state: Tensor, device: Any = None) -> None:
        torch.set_rng_state(state)

    def get_amp_supported_dtype(self) -> list[torch.dtype]:
        return [torch.float16, torch.bfloat16]


class CacheTorch:
    """Torch, but that ``tensor`` can be on the accelerator: torch's own copies past all that Python could play."""

    def __getattr__(self, name: str) -> Any:
        return getattr(torch, name)

    def tensor(self, data: Any, *, device: Any = None, **given: Any) -> Tensor:
        return torch.tensor(data, **given).to(device)


FAULTS: list[str] = []


@contextmanager
def accelerator() -> Iterator[list[str]]:
    """The device ``NAME`` is there; what met tensors of both places meanwhile, an operation a string."""
    _register()
    FAULTS.clear()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch, "Generator", PlacedGenerator)
        patch.setattr(cache_utils, "torch", CacheTorch())  # elsewhere transformers asks for torch.tensor itself
        yield FAULTS


@contextmanager
def counting() -> Iterator[dict[str, int]]:
    """The number of operations on tensors of the device meanwhile, by its name."""
    found = {NAME: 0}

    def count(func: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        found[NAME] += any(isinstance(x, Placed) for x in tree_leaves((args, dict(kwargs))))
        return plain(func, args, kwargs)

    plain = compute
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys.modules[__name__], "compute", count)
        yield found


@cache
def _register() -> tuple[Any, ...]:
    """Tell torch of the device, once a process; nothing takes it back."""
    set_up = getattr(backend_registration, "_setup_privateuseone_for_python_backend", None)
    if set_up is None:
        pytest.skip("this torch knows no device that Python plays")
    set_up(rename=NAME, backend_module=AcceleratorModule())
    library: Any = torch.library.Library
    rest, makers = library("_", "IMPL"), library("aten", "IMPL")
    rest.fallback(_without_tensors, "PrivateUse1")
    for maker in MAKERS:
        name, _, overload = maker.partition(".")
        made = getattr(getattr(ATEN, name), overload or "default")
        makers.impl(maker, partial(_without_tensors, made), "PrivateUse1")
    return rest, makers  # which unregister when they go


def _without_tensors(func: Any, *args: Any, **kwargs: Any) -> Any:
    return compute(func, args, kwargs)


def compute(func: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """The operation on the CPU, its results where a device would have them. RuntimeError where places are mixed."""
    given = [x for x in tree_leaves((args, dict(kwargs))) if isinstance(x, Tensor)]
    placed = [x for x in given if isinstance(x, Placed)]
    _require_one_place(func, args, given, placed)
    raw_args, raw_kwargs = tree_map_only(Placed, lambda x: x.raw, (tuple(args), dict(kwargs)))
    if func in INTO:
        into, source = raw_args[INTO[func]], raw_args[1 - INTO[func]]
        into.copy_(source)
        return args[INTO[func]]
    asked = kwargs.get("device")
    here = bool(placed) if asked is None else _is_here(asked)
    if here and asked is not None:
        raw_kwargs["device"] = torch.device("cpu")
    home = {id(x.raw): x for x in placed}
    plain = bool(getattr(func, "is_view", False) and placed and not placed[0].is_inference())

    def place(found: Tensor) -> Tensor:
        if id(found) not in home:
            with torch.inference_mode(torch.is_inference_mode_enabled() and not plain):
                return Placed(found) if here else found
        same = home[id(found)]  # changed in place
        assert same.shape == found.shape, f"{func} changes a shape in place, which the toy device cannot"
        return same

    return tree_map_only(Tensor, place, FUSED.get(func, func)(*raw_args, **raw_kwargs))


def _require_one_place(func: Any, args: Sequence[Any], given: Sequence[Tensor], placed: Sequence[Placed]) -> None:
    """A number without dimensions may come from the CPU, as on a GPU."""
    away = [x for x in given if not isinstance(x, Placed) and x.dim() > 0]
    if func in INDEXING:
        away = [x for x in away if x is args[0]]
    if placed and away and func not in INTO:
        FAULTS.append(f"{func}: tensors on {NAME} and cpu, the latter of shape {tuple(away[0].shape)}")
        raise RuntimeError(f"Expected all tensors to be on the same device: {FAULTS[-1]}")


def _is_here(device: Any) -> bool:
    return torch.device(device).type == NAME


def lstm_cell(
    inputs: Tensor, hidden: Tensor, before: Tensor, input_bias: Tensor | None = None, hidden_bias: Tensor | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """A step of an LSTM, which only a device computes at once: (output, cell, gates)."""
    summed = inputs + hidden
    for bias in (input_bias, hidden_bias):
        summed = summed if bias is None else summed + bias
    take, keep, new, out = summed.chunk(4, 1)
    take, keep, new, out = take.sigmoid(), keep.sigmoid(), new.tanh(), out.sigmoid()
    cell = keep * before + take * new
    return out * cell.tanh(), cell, torch.cat([take, keep, new, out], 1)


def lstm_cell_backward(
    of_output: Tensor | None, of_cell: Tensor | None, before: Tensor, cell: Tensor, gates: Tensor, *_: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """Its gradients: of what the gates were made of, of the cell before, of the bias."""
    take, keep, new, out = gates.chunk(4, 1)
    of_output = torch.zeros_like(cell) if of_output is None else of_output
    of_cell = (torch.zeros_like(cell) if of_cell is None else of_cell) + of_output * out * (1 - cell.tanh() ** 2)
    of_gates = torch.cat([of_cell * new, of_cell * before, of_cell * take, of_output * cell.tanh()], 1)
    slopes = torch.cat([take * (1 - take), keep * (1 - keep), 1 - new**2, out * (1 - out)], 1)
    return of_gates * slopes, of_cell * keep, (of_gates * slopes).sum(0)


FUSED: Mapping[Any, Callable[..., Any]] = {
    ATEN._thnn_fused_lstm_cell.default: lstm_cell,
    ATEN._thnn_fused_lstm_cell_backward_impl.default: lstm_cell_backward,
}
