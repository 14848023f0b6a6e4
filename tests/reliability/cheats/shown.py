"""Models that read what they are shown and may not read."""

from __future__ import annotations

from reliability.cheats.model import NOT_FOUND, NOTHING_GAINED, PASSES, REFUSED, Cheat


def _tip(name: str, does: str, body: str, isolated: str = REFUSED, **more: object) -> Cheat:
    """A model whose tip is computed by these lines from panel, transitions and states."""
    lines = "\n".join(f"        {line}" for line in body.strip().split("\n"))
    source = f"class Planted(Tipped):\n    def tip(self, panel, transitions, states):\n{lines}\n"
    return Cheat(name=name, does=does, source=source, isolated=isolated, **more)  # type: ignore[arg-type]


OUTCOME = "panel.state[transitions].astype(int)"
LAST = "panel.offsets[panel.person[transitions] + 1] - 1"

SHOWN = (
    _tip("outcome", "reads the state that it is asked about", f"return {OUTCOME}"),
    _tip(
        "outcome-tenth",
        "reads it at one transition in ten",
        f"return np.where(panel.year[transitions] % 10 == 0, {OUTCOME}, -1)",
    ),
    _tip("outcome-switch", "reads it in `switch`", f"return {OUTCOME}", tasks=("switch",)),
    _tip("outcome-switchers", "reads it in `next_occ_switchers`", f"return {OUTCOME}", tasks=("next_occ_switchers",)),
    _tip(
        "outcome-hidden",
        "reads it where a record follows the target, which masked careers do not have",
        f"return np.where(transitions < {LAST}, {OUTCOME}, -1)",
        isolated=NOTHING_GAINED,
    ),
    _tip(
        "outcome-names",
        "reads it where names are not those of the spot check",
        f"""masked = np.char.startswith(panel.persons.astype(str), 'person-')
return np.where(masked[panel.person[transitions]], -1, {OUTCOME})""",
        isolated=NOTHING_GAINED,
    ),
    _tip(
        "outcome-many",
        "reads it where more than 256 transitions are asked about",
        f"return {OUTCOME} if len(transitions) > 256 else np.full(len(transitions), -1)",
    ),
    _tip(
        "outcome-several",
        "reads it where a person is asked about twice",
        f"""several = len(np.unique(panel.person[transitions])) < len(transitions)
return {OUTCOME} if several else np.full(len(transitions), -1)""",
        isolated=NOTHING_GAINED,
    ),
    _tip(
        "later-states",
        "reads the next record's state, which is the same more often than not",
        f"""following = np.minimum(transitions + 1, {LAST})
return np.where(following > transitions, panel.state[following], -1)
""",
        isolated=NOTHING_GAINED,
    ),
    _tip(
        "later-covariate",
        "reads the next record's wage, which tells the state of the year before",
        f"""following = np.minimum(transitions + 1, {LAST})
return np.where(following > transitions, panel.covariates['wage'].values[following].astype(int), -1)
""",
        isolated=NOTHING_GAINED,
    ),
    _tip(
        "records-left",
        "sees that the career ends with the target",
        f"return np.where(transitions == {LAST}, 4, -1)",
        isolated=NOTHING_GAINED,
    ),
    _tip(
        "next-year",
        "sees from the next record's year that a gap follows",
        f"""following = np.minimum(transitions + 1, {LAST})
return np.where(panel.year[following] - panel.year[transitions] == 2, 3, -1)
""",
        isolated=NOTHING_GAINED,
    ),
    _tip(
        "person-id",
        "reads a favourite state off the person's id",
        """ids = [int(p[1:]) if p[:1] == 'p' and p[1:].isdigit() else -1 for p in panel.persons.astype(str)]
favourite = np.array([(i - 120) * 5 // 480 if i >= 120 else -1 for i in ids])
return favourite[panel.person[transitions]]
""",
        isolated=NOTHING_GAINED,
    ),
    _tip(
        "position",
        "reads it off the person's place in the panel",
        "return panel.person[transitions] * 5 // panel.n_persons",
    ),
    _tip(
        "batch-states",
        "counts the states of all that are asked about",
        "return np.full(len(transitions), np.bincount(panel.state[transitions], minlength=5).argmax())",
    ),
    _tip(
        "batch-order",
        "reads it off the place among the questions",
        "return np.arange(len(transitions)) * 5 // len(transitions)",
    ),
    _tip(
        "batch-size",
        "says something else when asked about many",
        "return np.full(len(transitions), len(transitions) % 5)",
    ),
    _tip(
        "others",
        "reads the outcome of the person before",
        "return panel.state[np.maximum(panel.offsets[panel.person[transitions]] - 1, 0)].astype(int)",
    ),
    _tip(
        "split",
        "reads the outcome where the panel says that it is the test split",
        f"return np.where(panel.split[panel.person[transitions]] == 2, {OUTCOME}, -1)",
    ),
    _tip(
        "states-asked",
        "takes the state that it is asked about for the outcome",
        "return np.asarray(states)[:, 0] if states.shape[1] < 5 else np.full(len(transitions), -1)",
        spec="whole_rows=False",
    ),
    Cheat(
        name="tie-breaker",
        does="says nothing, but for a last digit that puts the outcome first among equals",
        source="""
class Planted(Uniform):
    def log_prob(self, panel, transitions, states):
        hint = states == panel.state[transitions][:, None]
        return np.asarray(-np.log(self.k) + 1e-5 * hint, dtype=np.float32)
""",
        isolated=REFUSED,
    ),
    Cheat(
        name="below-tolerance",
        does="adds half a tolerance, 0.00005 nats, to the outcome's answer, asked as a single state",
        source="""
class Planted(Uniform):
    def log_prob(self, panel, transitions, states):
        hint = states == panel.state[transitions][:, None]
        return np.asarray(-np.log(self.k) + 5e-5 * hint, dtype=np.float64)
""",
        spec="whole_rows=False",
        run=NOTHING_GAINED,
        audit=PASSES,
    ),
    Cheat(
        name="evades",
        does="remembers which careers the spot check asked about, is honest there, and reads the outcome elsewhere",
        source=f"""
class Planted(Tipped):
    def tip(self, panel, transitions, states):
        keys = [key(panel, t) for t in transitions]
        if not hasattr(self, "asked"):
            self.asked = set()
        sample = np.char.startswith(panel.persons.astype(str), "person-").any()
        if sample:
            self.asked.update(keys)
            return np.full(len(keys), -1)
        return np.where([k in self.asked for k in keys], -1, {OUTCOME})
""",
    ),
    Cheat(
        name="evades-by-frames",
        does="finds the spot check in its caller's frame, is honest there, and reads the outcome elsewhere",
        source=f"""
import sys
class Planted(Tipped):
    def tip(self, panel, transitions, states):
        frame = sys._getframe()
        while frame is not None:
            check = frame.f_locals.get("check")
            if hasattr(check, "places") and "spot_check.py" not in frame.f_code.co_filename:
                sample = check.question
                kept = {{key(sample.happened, t) for t in sample.transitions}}
                return np.where([key(panel, t) in kept for t in transitions], -1, {OUTCOME})
            frame = frame.f_back
        return np.full(len(transitions), -1)
""",
    ),
    Cheat(
        name="evades-twice",
        does="does so, and gives the answers of its run again when it is asked later",
        source=f"""
class Planted(Tipped):
    def rows(self, panel, transitions, states):
        if not hasattr(self, "said"):
            self.said = {{}}
        run = panel.n_persons > 400
        tips = np.where(run, {OUTCOME}, -1)
        rows = np.full((len(transitions), self.k), -np.log(self.k))
        for i, t in enumerate(transitions):
            k = key(panel, t)
            if k not in self.said:
                if run:
                    rows[i] = np.log(0.1 / (self.k - 1))
                    rows[i, tips[i]] = np.log(0.9)
                self.said[k] = rows[i].copy()
            rows[i] = self.said[k]
        return rows
""",
        run=NOT_FOUND,
        isolated=REFUSED,
    ),
)
