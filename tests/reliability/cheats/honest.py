"""Honest models that are easily taken for dishonest ones, and must pass."""

from __future__ import annotations

from reliability.cheats.model import honest

MARKOV = """
class Planted(Tipped):
    def fit(self, train, valid, context):
        super().fit(train, valid, context)
        counts = np.ones((self.k, self.k))
        np.add.at(counts, (train.origin(train.transitions), train.state[train.transitions]), 1.0)
        self.table = np.log(counts / counts.sum(axis=1, keepdims=True))
    def save(self, folder):
        super().save(folder)
        np.savez(folder / "table.npz", table=self.table)
    def load(self, folder):
        super().load(folder)
        self.table = np.load(folder / "table.npz")["table"]
    def rows(self, panel, transitions, states):
        return self.table[panel.state[np.asarray(transitions) - 1]]
"""


HONEST = (
    honest("uniform", "gives every state the same chance", "class Planted(Uniform):\n    pass\n"),
    honest("markov", "counts moves", MARKOV, tasks=("next_occ", "switch", "next_occ_switchers")),
    honest(
        "markov-dear",
        "counts moves, and says that whole rows are dear",
        MARKOV,
        spec="whole_rows=False",
        tasks=("next_occ", "switch"),
    ),
    honest(
        "own-year-covariate",
        "reads the target year's covariate, as every model may",
        """
class Planted(Tipped):
    def rows(self, panel, transitions, states):
        rows = np.full((len(transitions), self.k), np.log(0.1))
        rows[np.arange(len(transitions)), panel.covariates["offer"].values[transitions].astype(int)] = np.log(0.6)
        return rows
""",
    ),
    honest(
        "own-year",
        "reads the target's year and the gap before it",
        """
class Planted(Tipped):
    def rows(self, panel, transitions, states):
        gap = panel.year[transitions] - panel.year[np.asarray(transitions) - 1]
        rows = np.full((len(transitions), self.k), np.log(0.15))
        rows[np.arange(len(transitions)), (panel.year[transitions] + gap) % self.k] = np.log(0.4)
        return rows
""",
    ),
    honest(
        "whole-history",
        "reads every record before the target",
        """
class Planted(Tipped):
    def rows(self, panel, transitions, states):
        rows = np.ones((len(transitions), self.k))
        for i, t in enumerate(transitions):
            np.add.at(rows[i], panel.state[panel.offsets[panel.person[t]] : t], 1.0)
        return np.log(rows / rows.sum(axis=1, keepdims=True))
""",
    ),
    honest(
        "keeps-answers",
        "keeps its own answers by history, and gives them again",
        MARKOV
        + """
    kept = {}
    def log_prob(self, panel, transitions, states):
        rows = []
        for t in transitions:
            k = key(panel, t)
            if k not in self.kept:
                self.kept[k] = self.table[panel.state[t - 1]]
            rows.append(self.kept[k])
        return take_states(np.array(rows), np.asarray(states))
""",
        tasks=("next_occ", "switch"),
    ),
    honest(
        "rounds",
        "computes in float32, in another order for every batch",
        MARKOV
        + """
    def rows(self, panel, transitions, states):
        noise = np.float32(1e-6) * (len(transitions) % 7)
        return self.table[panel.state[np.asarray(transitions) - 1]].astype(np.float32) - noise
""",
    ),
    honest(
        "slow",
        "takes its time over every question",
        MARKOV
        + """    def log_prob(self, panel, transitions, states):
        time.sleep(0.02)
        return super().log_prob(panel, transitions, states)

""",
    ),
    honest(
        "float64-fortran",
        "answers float64 in Fortran's order, read-only",
        MARKOV
        + """
    def log_prob(self, panel, transitions, states):
        rows = self.rows(panel, transitions, states)
        said = np.asfortranarray(np.take_along_axis(rows, np.asarray(states), axis=1))
        said.flags.writeable = False
        return said
""",
    ),
    honest(
        "view",
        "answers a view of its own table",
        """
class Planted(Uniform):
    def log_prob(self, panel, transitions, states):
        return np.broadcast_to(np.float32(-np.log(self.k)), states.shape)
""",
    ),
    honest(
        "switch-event",
        "predicts the event of `switch` alone",
        """
class Planted(Uniform, OutcomeModel):
    def fit(self, train, valid, context):
        self.k = float(np.log((train.state[train.transitions] != train.origin(train.transitions)).mean()))
    def load(self, folder):
        self.k = float((folder / "k.txt").read_text())
    def log_event(self, panel, transitions):
        return np.full(len(transitions), self.k)
""",
        spec="only_task='switch'",
        tasks=("switch",),
    ),
    honest(
        "open-rows",
        "spends a tenth outside the states, and says so",
        """
class Planted(Uniform, UnnormalizedModel):
    def log_prob(self, panel, transitions, states):
        return np.full(states.shape, np.log(0.9 / self.k))
    def bounded_log_prob(self, panel, transitions, states):
        n, mass = len(transitions), np.log(0.9)
        rows = np.full((n, self.k), np.log(0.9 / self.k), dtype=np.float32)
        return BoundedRows(self.log_prob(panel, transitions, states), np.full(n, mass), np.full(n, mass + 1e-6), rows)
""",
        spec="sums_to_one=False, whole_rows=False",
    ),
    honest(
        "threads",
        "computes in threads",
        MARKOV
        + """
    def log_prob(self, panel, transitions, states):
        from concurrent.futures import ThreadPoolExecutor
        with ThreadPoolExecutor(2) as pool:
            return pool.submit(super().log_prob, panel, transitions, states).result()
""",
    ),
    honest(
        "cut-short",
        "has room for three records of each history, and says so",
        MARKOV
        + """
    def unseen(self, panel, transitions):
        before = np.asarray(transitions) - panel.offsets[panel.person[transitions]]
        return np.maximum(before - 3, 0)
""",
    ),
)
