"""The start of a network: how often states are left, and for which, in the training careers."""

from __future__ import annotations

import numpy as np
import torch

from harness.features.frequencies import Stays, count_states, shares, switch_records, switches
from harness.network.head import Start
from harness.panel import Panel

STRENGTH = 16.0  # transitions that the overall rate of staying is worth against a state's own


def start_of(panel: Panel) -> Start:
    """Of the transitions of a panel with two states or more."""
    _, target = switches(panel)
    margin = np.log(shares(count_states(target, panel.weights(switch_records(panel)), panel.n_states)))
    rate = Stays(panel).rates(STRENGTH)
    stay = np.log(rate) - np.log1p(-rate)
    group, _ = panel.occupations.group_index()
    margin, stay = margin.astype(np.float32), stay.astype(np.float32)
    return Start(torch.from_numpy(margin), torch.from_numpy(stay), torch.from_numpy(group))
