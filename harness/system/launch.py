"""Starts the processes of one launch on this machine (``harness run --processes``), by torch's launcher."""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Sequence

from harness.system.processors import allowed, thread_variables

LAUNCHER = "HARNESS_LAUNCHER"  # the process that has started these, which are to end when it does


def launch(processes: int, arguments: Sequence[str]) -> int:
    """Carry out the command ``harness ARGUMENTS`` by so many processes, among which the processors are shared.

    The exit status of the command. A process that fails or dies ends the others; they say why themselves, and one that
    was killed is named here.
    """
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    logging.getLogger("torch.distributed.elastic").setLevel(logging.CRITICAL)  # a page for what is said in a line
    os.environ[LAUNCHER] = str(os.getpid())
    for name, threads in thread_variables(max(1, int(allowed()) // processes)).items():
        os.environ.setdefault(name, threads)
    config = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=processes,
        rdzv_backend="c10d",
        rdzv_endpoint="localhost:0",
        local_addr="localhost",
        max_restarts=0,
        run_id=f"harness-{os.getpid()}",
    )
    try:
        elastic_launch(config, sys.executable)("-m", "harness", *arguments)
    except ChildFailedError as error:
        rank, first = error.get_first_failure()
        if first.exitcode >= 0:
            return first.exitcode
        name = signal.Signals(-first.exitcode).name
        sys.stderr.write(
            f"error: process {rank} of {processes} was ended by {name}"
            f"{', most likely because memory ran out' if name == 'SIGKILL' else ''}; the same command goes on from the "
            "last checkpoint\n"
        )
        return 1
    return 0
