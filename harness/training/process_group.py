"""Training shared among processes: each takes its part of every batch, and sums are taken over all of them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.errors import RunError
from harness.system import processes
from harness.types import IntArray

if TYPE_CHECKING:
    import torch

    from harness.model.contract import Context


@dataclass(frozen=True)
class ProcessGroup:
    """The processes that make one fit, as one of them sees them. Alone (``SINGLE``), every sum is one's own."""

    rank: int = 0
    size: int = 1

    def share(self, batch: IntArray) -> IntArray:
        """This process's part of a batch: neighbours go to different processes; it may be empty."""
        return batch[self.rank :: self.size]

    def sum(self, tensors: list[torch.Tensor], *numbers: float) -> list[float]:
        """Sum tensors over the processes, in place, and return the sums of the numbers, in float64."""
        if self.size == 1:
            return list(numbers)
        import torch

        group = processes.init_group()
        if tensors:
            flat = torch.cat([tensor.reshape(-1) for tensor in tensors])  # one exchange, not one for each tensor
            reachable = flat if flat.device.type in ("cpu", "cuda") else flat.cpu()
            group.all_reduce(reachable)
            start = 0
            for tensor in tensors:
                tensor.copy_(reachable[start : start + tensor.numel()].view_as(tensor))
                start += tensor.numel()
        totals = torch.tensor(numbers, dtype=torch.float64)
        group.all_reduce(totals)
        return [float(total) for total in totals]

    @contextmanager
    def main_first(self) -> Iterator[None]:
        """The main process passes through the block, then all others do: what it leaves on disk, they find."""
        if self.rank:
            self.sum([], 0.0)
        yield
        if self.size > 1 and not self.rank:
            self.sum([], 0.0)

    def from_main(self, tensors: Iterable[torch.Tensor], state: Any) -> Any:
        """The main process's JSON-able state; where it is not None, its tensors are copied into everyone's as well."""
        if self.size == 1:
            return state
        import torch

        group = processes.init_group()
        text = json.dumps(state).encode()
        length = torch.tensor(len(text))
        group.broadcast(length, 0)
        content = torch.tensor(list(text), dtype=torch.uint8) if not self.rank else torch.empty(int(length)).byte()
        group.broadcast(content, 0)
        received = json.loads(bytes(content.tolist()))
        if received is not None:
            for tensor in tensors:
                own = tensor.detach() if tensor.device.type in ("cpu", "cuda") else tensor.detach().cpu()
                group.broadcast(own, 0)
                tensor.detach().copy_(own)
        return received

    def require_same(self, key: str) -> None:
        """RunError where this process would train something else than the main one."""
        if self.from_main((), key) != key:
            raise RunError(
                f"process {self.rank} starts from another model or other careers than the main process: give all of "
                "them the same files, and a cache that they share"
            )


SINGLE = ProcessGroup()


def process_group(context: Context) -> ProcessGroup:
    """The processes that make this fit."""
    if not context.shared:
        return SINGLE
    import torch

    if context.device.startswith("cuda:"):
        torch.cuda.set_device(context.device)
    return ProcessGroup(processes.rank(), processes.count())
