"""A language model's layers compiled by torch, for the passes of tuning."""

from __future__ import annotations

import os
import shutil
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch

from harness.errors import RequestError
from harness.plugins.llm.text.loader import layers_of

COMPILERS = ("g++", "clang++")  # as torch looks for them on Linux, behind the variable CXX


def require_compiler(device: str) -> None:
    """RequestError where nothing compiles what torch writes for the processor. A GPU's code needs none."""
    wanted = os.environ.get("CXX")
    names = COMPILERS if wanted is None else (wanted,)
    if torch.device(device).type == "cpu" and not any(shutil.which(name) for name in names):
        raise RequestError(
            f"compiled=true needs a C++ compiler, and none of {', '.join(names)} is on this machine: install one, or "
            "leave out compiled"
        )


def require_kept(again: bool) -> None:
    """RequestError where activations are to be made again, which torch does not compile."""
    if again:
        raise RequestError(
            "compiled=true keeps all activations, and they are to be made again, as asked for or because memory is "
            "short: lower batch_tokens, set gradient_checkpointing=false, or leave out compiled"
        )


class CompiledLayers:
    """The layers of a model, compiled once for sequences of any shape and used where they are asked for.

    One layer stands for all: they differ in their weights alone. Its small operations, norms, rotations, sums and
    casts, become a few loops over memory. The first step takes a minute.
    """

    def __init__(self, model: Any) -> None:
        """RequestError where the architecture does not say which its layers are."""
        classes = layers_of(model)
        self.layers = [module for module in model.modules() if type(module).__name__ in classes]
        if not self.layers:
            raise RequestError(f"{type(model).__name__} does not say which its layers are: leave out compiled")
        self._compiled: list[Callable[..., Any]] | None = None

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Calls of the layers go to what was compiled meanwhile."""
        with _quiet_compiler():
            for layer, call in zip(self.layers, self._calls(), strict=True):
                layer._compiled_call_impl = call
            try:
                yield
            finally:
                for layer in self.layers:
                    layer._compiled_call_impl = None

    def _calls(self) -> list[Callable[..., Any]]:
        if self._compiled is None:
            for layer in self.layers:
                layer.compile(dynamic=True)
            self._compiled = [layer._compiled_call_impl for layer in self.layers]
        return self._compiled


@contextmanager
def _quiet_compiler() -> Iterator[None]:
    """Torch's compiler uses what torch says is on its way out, and looks at gradients of what has none."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"`torch\.jit", DeprecationWarning)
        warnings.filterwarnings("ignore", r"The \.grad attribute of a Tensor that is not a leaf", UserWarning)
        yield
