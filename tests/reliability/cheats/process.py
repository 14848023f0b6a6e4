"""Models that end the command, hold it up, or change the harness itself."""

from __future__ import annotations

from typing import Any

from reliability.cheats.model import NOT_FOUND, NOTHING_GAINED, PASSES, REFUSED, Cheat, refused

MEMORY = 3 << 30  # bytes of address space


def _ends(name: str, does: str, line: str, step: str = "fit", **more: Any) -> Cheat:
    given = {"fit": "self, train, valid, context", "log_prob": "self, panel, transitions, states"}[step]
    return refused(name, does, f"class Planted(Uniform):\n    def {step}({given}):\n        {line}\n", **more)


def _patch(name: str, does: str, lines: str, **more: object) -> Cheat:
    """A model that changes the harness while it is fitted, in the process that scores it."""
    body = "\n".join(f"        {line}" for line in lines.strip().split("\n"))
    source = (
        f"class Planted(Uniform):\n    def fit(self, train, valid, context):\n"
        f"        super().fit(train, valid, context)\n{body}\n"
    )
    told: dict[str, object] = {"run": NOT_FOUND, "audit": PASSES} | more
    return Cheat(name=name, does=does, source=source, **told)  # type: ignore[arg-type]


PROCESS = (
    _ends("exits", "leaves by `sys.exit(0)` in its fit", "raise SystemExit(0)"),
    _ends("exits-asked", "leaves by `sys.exit(0)` when it is asked", "raise SystemExit(0)", "log_prob"),
    _ends("os-exit", "leaves by `os._exit(0)`", "os._exit(0)", "log_prob"),
    _ends("crashes", "reads address 0", "ctypes.string_at(0)"),
    _ends("killed", "is killed", "os.kill(os.getpid(), 9)", "log_prob"),
    _ends("sleeps", "never returns, under `--time-limit`", "time.sleep(600)", options=("--time-limit", "2")),
    _ends(
        "loops",
        "never returns and catches all errors",
        "\n".join(
            (
                "while True:",
                "            try:",
                "                time.sleep(600)",
                "            except BaseException:",
                "                pass",
            )
        ),
        options=("--time-limit", "1"),
    ),
    _ends("memory", "asks for more memory than there is, under a limit", "np.ones(1 << 40)", memory=MEMORY),
    _ends(
        "memory-slowly",
        "takes memory bit by bit, under a limit",
        "held = []\n        while True: held.append(np.ones(1 << 24))",
        memory=MEMORY,
    ),
    _ends("interrupts", "raises KeyboardInterrupt", "raise KeyboardInterrupt"),
    _ends("base-exception", "raises an exception of no usual kind", "raise BaseException('odd')", "log_prob"),
    _ends("generator-exit", "raises GeneratorExit", "raise GeneratorExit", "log_prob"),
    _ends("recursion", "calls itself without end", "return self.fit(train, valid, context)"),
    _ends("raises", "raises an error of its own", "raise ValueError('of\\nthree\\nlines')"),
    _ends("not-implemented", "has no answer", "raise NotImplementedError", "log_prob"),
    _patch(
        "patches-scorer",
        "replaces the scorer's function while it is fitted",
        """from harness.model import task
task.EachState.outcome = lambda self, panel, transitions, log_prob: np.full(len(transitions), -0.01)
""",
        run=REFUSED,
    ),
    _patch(
        "patches-check",
        "switches the spot check off while it is fitted, and reads the outcome",
        """from harness.model import spot_check
spot_check.SpotCheck.require_same = lambda self, scores: None
Planted.log_prob = lambda self, panel, transitions, states: Tipped.log_prob(self, panel, transitions, states)
Planted.rows = Tipped.rows
Planted.tip = lambda self, panel, transitions, states: panel.state[transitions].astype(int)
""",
        run=REFUSED,
        audit=REFUSED,
        isolated=REFUSED,
    ),
    _patch(
        "patches-numpy",
        "replaces a function of numpy",
        "take = np.take_along_axis\nnp.take_along_axis = lambda a, i, axis=-1: take(a, i, axis) * 0.1",
        audit=REFUSED,
    ),
    _patch(
        "patches-view",
        "has itself shown the careers as they are, and so with the source",
        "from harness.model import scoring\nscoring.model_view = lambda panel: panel",
        run=REFUSED,
    ),
    Cheat(
        name="patches-import",
        does="replaces the scorer's function when its plugin is imported",
        source="""
from harness.model import task
task.EachState.outcome = lambda self, panel, transitions, log_prob: np.full(len(transitions), -0.01)
class Planted(Uniform):
    pass
""",
        audit=PASSES,
        isolated=REFUSED,
    ),
    Cheat(
        name="thread",
        does="starts a thread that changes the record before it is written",
        source="""
import gc, threading
class Planted(Uniform):
    def fit(self, train, valid, context):
        super().fit(train, valid, context)
        def wait():
            from harness.stats.figures import Scores
            while True:
                for one in gc.get_objects():
                    if type(one) is Scores and one.log_prob.size > 300 and one.log_prob.flags.writeable:
                        one.log_prob[:] = -0.01
                time.sleep(0.001)
        threading.Thread(target=wait, daemon=True).start()
    def log_prob(self, panel, transitions, states):
        time.sleep(0.05)
        return super().log_prob(panel, transitions, states)
""",
    ),
    Cheat(
        name="prints",
        does="prints to stdout, between the lines of `--json`",
        source="""
class Planted(Uniform):
    def fit(self, train, valid, context):
        print('{"figures": {"perplexity": 1.0}}')
        super().fit(train, valid, context)
""",
        run=NOTHING_GAINED,
        audit=PASSES,
    ),
    Cheat(
        name="writes-records",
        does="writes a record of its own into the folder of records",
        source="""
from pathlib import Path
class Planted(Uniform):
    def fit(self, train, valid, context):
        super().fit(train, valid, context)
        folder = Path(PLACE) / "records" / "careers"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "next_occ-planted-0000000000000000.json").write_text("{}")
""",
        run=NOTHING_GAINED,
        audit=PASSES,
        isolated=REFUSED,
    ),
)
