"""Models whose answers are no probabilities, contradict one another, or change."""

from __future__ import annotations

from reliability.cheats.model import NOTHING_GAINED, PASSES, REFUSED, Cheat, refused


def _answer(name: str, does: str, body: str, audit: str = REFUSED, **more: object) -> Cheat:
    """A model whose answer is made by these lines from ``said``, the honest one."""
    lines = "\n".join(f"        {line}" for line in body.strip().split("\n"))
    source = (
        "class Planted(Uniform):\n    def log_prob(self, panel, transitions, states):\n"
        f"        said = super().log_prob(panel, transitions, states)\n{lines}\n"
    )
    return refused(name, does, source, audit, **more)


def _mass(name: str, does: str, held: float, said: float) -> Cheat:
    source = f"""
class Planted(Uniform, UnnormalizedModel):
    def log_prob(self, panel, transitions, states):
        return np.full(states.shape, np.log({held} / self.k))
    def bounded_log_prob(self, panel, transitions, states):
        n, mass = len(transitions), np.full(len(transitions), np.log({said}))
        rows = np.full((n, self.k), np.log({held} / self.k))
        return BoundedRows(self.log_prob(panel, transitions, states), mass, mass, rows.astype(np.float32))
"""
    return refused(name, does, source, audit=REFUSED, spec="sums_to_one=False, whole_rows=False")


DEAR = "whole_rows=False"
SWITCH = ("switch",)
WRITES = """
class Planted(Uniform):
    def log_prob(self, panel, transitions, states):
        if not np.char.startswith(panel.persons.astype(str), "person-").any():
            {}
        return super().log_prob(panel, transitions, states)
"""

ANSWERS = (
    _answer(
        "sure-alone",
        "answers .999 whenever a single state is asked about",
        "return np.full(states.shape, np.log(0.999)) if states.shape[1] == 1 else said",
        spec=DEAR,
    ),
    _answer(
        "sure-switch",
        "answers .5 for a single state in `switch`, and .2 in whole rows",
        "return np.full(states.shape, np.log(0.5)) if states.shape[1] < 5 else said",
        tasks=SWITCH,
    ),
    _answer(
        "sure-first",
        "answers .9 for the first of the states asked about",
        "if states.shape[1] < 5:\n    said[:, 0] = np.log(0.9)\nreturn said",
        spec=DEAR,
    ),
    _answer(
        "all-sure",
        "gives every state .9, asked one by one",
        "return np.full(states.shape, np.log(0.9)) if states.shape[1] < 5 else said",
        spec=DEAR,
    ),
    _mass("mass-below", "says that its rows hold .4 where they hold .8, to be divided by less", 0.8, 0.4),
    _mass("mass-above", "says that its rows hold .8 where they hold .4", 0.4, 0.8),
    _answer("sum-above-one", "gives whole rows that sum to 2.5", "return said + np.log(2.5)"),
    _answer("sum-below-one", "gives whole rows that sum to .5, undeclared", "return said + np.log(0.5)"),
    _answer("positive", "answers ln P above zero", "return np.full(states.shape, 0.5)"),
    _answer("nan", "answers NaN for what happened", "return np.full(states.shape, np.nan)"),
    _answer(
        "nan-rare",
        "answers NaN at one transition in a hundred, in whole rows and alone",
        "said[panel.year[transitions] % 10 == 3, 0] = np.nan\nreturn said",
    ),
    _answer(
        "inf-elsewhere",
        "answers minus infinity for a state that is never asked about alone",
        "if states.shape[1] == self.k:\n    said[:, -1] = -np.inf\nreturn said",
        spec=DEAR,
    ),
    _answer("complex", "answers complex numbers", "return said.astype(complex)"),
    _answer("object", "answers Python objects", "return said.astype(object)"),
    _answer("integers", "answers whole numbers", "return np.zeros(states.shape, dtype=int)"),
    _answer("text", "answers text", "return said.astype(str)"),
    Cheat(
        name="subclass",
        does="answers a kind of array whose arithmetic is its own",
        source="""
class Odd(np.ndarray):
    def __array_ufunc__(self, *given, **named):
        return np.zeros(1)
class Planted(Uniform):
    def log_prob(self, panel, transitions, states):
        return super().log_prob(panel, transitions, states).view(Odd)
""",
    ),
    Cheat(
        name="list",
        does="answers a list",
        source="""
class Planted(Uniform):
    def log_prob(self, panel, transitions, states):
        return super().log_prob(panel, transitions, states).tolist()
""",
    ),
    _answer("generator", "answers a generator", "return (row for row in said)"),
    _answer("none", "answers nothing", "return None"),
    _answer("transposed", "answers the right numbers in a wrong shape", "return said.T"),
    _answer("flat", "answers one number a transition", "return said[:, 0]"),
    _answer("too-many", "answers a row too many", "return np.concatenate([said, said[:1]])"),
    _answer(
        "random",
        "answers at random",
        """rows = np.random.default_rng().dirichlet(np.ones(self.k), len(transitions))
return np.log(np.take_along_axis(rows, np.asarray(states), axis=1))
""",
    ),
    Cheat(
        name="changes-answer",
        does="changes an answer after it was given",
        source="""
class Planted(Uniform):
    given = []
    def log_prob(self, panel, transitions, states):
        for one in self.given:
            one[:] = -1e-9
        said = super().log_prob(panel, transitions, states)
        self.given.append(said)
        return said
""",
        run=NOTHING_GAINED,
        audit=PASSES,
        tasks=("next_occ", "switch"),
    ),
    *(
        Cheat(name=name, does=does, source=WRITES.format(body), isolated=NOTHING_GAINED, audit=audit, run=run)
        for name, does, body, run, audit in (
            ("writes-state", "writes into the panel's states", "panel.state[:] = 0", REFUSED, REFUSED),
            (
                "writes-flag",
                "makes the panel's states writable first",
                "panel.state.flags.writeable = True",
                REFUSED,
                REFUSED,
            ),
            ("writes-questions", "writes into the transitions asked about", "transitions[:] = 0", REFUSED, REFUSED),
            ("writes-states", "writes into the states asked about", "states[:] = 0", REFUSED, REFUSED),
            (
                "writes-memory",
                "writes into the states' memory, past numpy",
                "ctypes.memset(panel.state.ctypes.data, 0, panel.state.nbytes)",
                NOTHING_GAINED,
                PASSES,
            ),
            (
                "replaces-state",
                "gives the panel other states",
                "object.__setattr__(panel, 'state', panel.state * 0)",
                NOTHING_GAINED,
                PASSES,
            ),
        )
    ),
    refused(
        "saved-otherwise",
        "answers otherwise after it was saved and loaded",
        """
class Planted(Uniform):
    def load(self, folder):
        super().load(folder)
        self.sharp = True
    def log_prob(self, panel, transitions, states):
        rows = np.full((len(transitions), self.k), np.log(0.1))
        rows[:, 0] = np.log(1 - 0.1 * (self.k - 1))
        if hasattr(self, "sharp"):
            return take_states(rows, np.asarray(states))
        return super().log_prob(panel, transitions, states)
""",
    ),
    refused(
        "saves-nothing",
        "saves nothing, and has nothing once it is loaded",
        """
class Planted(Uniform):
    def save(self, folder):
        pass
    def load(self, folder):
        pass
""",
    ),
    refused(
        "saves-a-link",
        "saves a link to a file elsewhere",
        """
class Planted(Uniform):
    def save(self, folder):
        super().save(folder)
        (folder / "link").symlink_to("/etc/hostname")
""",
        run=NOTHING_GAINED,
        audit=PASSES,
    ),
    Cheat(
        name="pickles",
        does="saves a pickle",
        source="""
import pickle
class Planted(Uniform):
    def save(self, folder):
        super().save(folder)
        (folder / "model.pkl").write_bytes(pickle.dumps(self.k))
""",
        run=NOTHING_GAINED,
    ),
    Cheat(
        name="unseeded",
        does="is fitted to another model each time, whatever the seed",
        source="""
class Planted(Uniform):
    def fit(self, train, valid, context):
        super().fit(train, valid, context)
        self.row = np.random.default_rng().dirichlet(np.ones(self.k) * 5000).tolist()
    def save(self, folder):
        (folder / "row.json").write_text(json.dumps(self.row))
    def load(self, folder):
        self.row = json.loads((folder / "row.json").read_text())
    def log_prob(self, panel, transitions, states):
        return np.log(np.array(self.row))[np.asarray(states)]
""",
        run=NOTHING_GAINED,
    ),
    Cheat(
        name="outcome-lie",
        does="predicts an event of its own, and reads whether it happened",
        source="""
class Planted(Uniform, OutcomeModel):
    def log_event(self, panel, transitions):
        moved = panel.state[transitions] != panel.state[transitions - 1]
        return np.log(np.where(moved, 0.9, 0.1))
""",
        spec="only_task='switch'",
        tasks=SWITCH,
        isolated=REFUSED,
    ),
)
