"""A network in a folder: its weights as safetensors, and as JSON all that they are weights of."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from harness.features.encoding import Encoding
from harness.network.head import HeadShape, Start
from harness.network.layers import Shape
from harness.plugins.career.network import Network, NetworkPlan

WEIGHTS, ABOUT = "network.safetensors", "network.json"


def write_network(folder: Path, network: Network, encoding: Encoding, about: Mapping[str, Any]) -> None:
    """Into an empty folder. about: JSON-able, comes back from ``read_network``."""
    save_file(
        {name: tensor.detach().cpu().contiguous() for name, tensor in _tensors(network).items()}, folder / WEIGHTS
    )
    content = {"plan": asdict(network.plan), "encoding": encoding.plain(), "about": dict(about)}
    (folder / ABOUT).write_text(json.dumps(content), encoding="utf-8")


def read_network(folder: Path) -> tuple[Network, Encoding, dict[str, Any]]:
    """The network that ``write_network`` wrote, in evaluation mode."""
    content = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
    plain = content["plan"]
    plan = NetworkPlan(**{**plain, "shape": Shape(**plain["shape"]), "head": HeadShape(**plain["head"])})
    kept = load_file(folder / WEIGHTS)
    groups = kept.pop("groups")
    stay = kept.get("head.stay_start", torch.zeros(len(groups)))
    with torch.random.fork_rng():
        network = Network(plan, Start(kept["head.start"], stay, groups), kept.pop("titles", None))
    with torch.no_grad():
        for name, tensor in _tensors(network).items():
            if name in kept:
                tensor.copy_(kept[name])
    network.eval()
    return network, Encoding.of(content["encoding"]), content["about"]


def _tensors(network: Network) -> dict[str, Tensor]:
    """Parameters, each once though it be tied; what the head starts from; groups and titles, once for all modules."""
    found: dict[str, Tensor] = dict(network.named_parameters())
    buffers = dict(network.named_buffers())
    found |= {name: buffers[name] for name in ("head.start", "head.stay_start") if name in buffers}
    found["groups"] = network.start.groups
    if "states.titles" in buffers:
        found["titles"] = buffers["states.titles"]
    return found
