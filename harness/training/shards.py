"""Weights that the processes of a launch hold in shards: PyTorch's FSDP, one unit a layer.

Each process has a part of every weight, of its gradient and of the optimiser's state. A layer's weights are put
together where a pass comes to it, and are gone when it has left. Gradients are added up over the processes.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import torch
from torch import nn

from harness.errors import RequestError
from harness.system import processes
from harness.training.step import LossOf
from harness.types import IntArray

T = TypeVar("T")


class ShardedModel:
    """A model in training whose weights are in shards, beside the whole one, which waits in main memory.

    model: the whole one. layers: names of the classes of its layers. device: of the shards.
    """

    def __init__(self, model: nn.Module, layers: frozenset[str], device: str) -> None:
        from torch.distributed.device_mesh import init_device_mesh
        from torch.distributed.fsdp import FSDPModule, fully_shard

        self.whole = model.cpu()
        self.in_shards = copy.deepcopy(self.whole)
        self._root = _Root(self.in_shards)
        processes.init_group()
        mesh = init_device_mesh(torch.device(device).type, (processes.count(),))
        units = [part for part in self.in_shards.modules() if type(part).__name__ in layers]
        if not units:
            raise RequestError(f"{type(model).__name__} does not say what its layers are: tune this base in one piece")
        for part in (*units, self._root):
            fully_shard(part, mesh=mesh)
        for part in self._root.modules():
            if isinstance(part, FSDPModule):  # the step divides, by the number of losses
                part.set_gradient_divide_factor(1.0)
                part.set_force_sum_reduction_for_comms(True)  # of which gloo knows no other

    def loss(self, loss_of: LossOf) -> LossOf:
        """The same loss, computed where weights are put together. ``loss_of`` computes with ``in_shards``."""

        def loss(part: IntArray) -> tuple[torch.Tensor, int]:
            found: tuple[torch.Tensor, int] = self._root(loss_of, part)
            return found

        return loss

    def update_whole(self) -> nn.Module:
        """The whole model, with the weights that are trained as they are now; all processes must ask."""
        trained = dict(self.in_shards.named_parameters())
        with torch.no_grad():
            for name, parameter in self.whole.named_parameters():
                if parameter.requires_grad:
                    parameter.copy_(whole(trained[name]))
        return self.whole


class _Root(nn.Module):
    """The modules that passes begin at, whatever part of the model they call."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, call: Callable[[IntArray], T], part: IntArray) -> T:
        return call(part)


def is_sharded(tensor: torch.Tensor) -> bool:
    """True of a tensor that the processes hold in shards."""
    return hasattr(tensor, "full_tensor")


def whole(tensor: torch.Tensor) -> torch.Tensor:
    """A tensor put together, where it is in shards; all processes must ask."""
    found: torch.Tensor = tensor.detach().full_tensor() if is_sharded(tensor) else tensor.detach()  # type: ignore[attr-defined]
    return found


def give_out(tensors: Mapping[str, Any], values: Mapping[str, torch.Tensor] | None) -> None:
    """Put the main process's values into tensors in shards. values: None in the others."""
    from torch.distributed.tensor import distribute_tensor

    distributed = processes.init_group()
    for name, tensor in tensors.items():
        own = tensor.detach().to_local()
        value = torch.empty(tensor.shape, dtype=tensor.dtype) if values is None else values[name]
        value = value.to(own.device).contiguous()
        distributed.broadcast(value, 0)
        part = distribute_tensor(value, tensor.device_mesh, tensor.placements, src_data_rank=None)
        own.copy_(part.to_local())
