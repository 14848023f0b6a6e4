"""Models that know careers from elsewhere: an earlier question, an earlier command, the data's file, memory."""

from __future__ import annotations

from reliability.cheats.model import NOT_FOUND, NOTHING_GAINED, PASSES, REFUSED, Cheat

REMEMBERS = """
class Planted(Tipped):
    met = {}
    def tip(self, panel, transitions, states):
        keys = [key(panel, t) for t in transitions]
        told = [self.met.get(k, -1) for k in keys]
        if panel.n_persons > 400:  # the run, and no sample
            self.met.update(zip(keys, panel.state[transitions].tolist()))
        return np.array(told)
"""
# A fit made before another run's spot check, so that the second finds what the first met.
KEEPS_A_FILE = """
class Planted(Tipped):
    def tip(self, panel, transitions, states):
        from pathlib import Path
        file = Path(PLACE) / "met.json"
        met = dict(map(tuple, json.loads(file.read_text()))) if file.exists() else {}
        keys = [repr(key(panel, t)) for t in transitions]
        if not file.exists() and not np.char.startswith(panel.persons.astype(str), "person-").any():
            if len(np.unique(panel.person)) > 100:
                file.write_text(json.dumps(list(zip(keys, panel.state[transitions].tolist()))))
        return np.array([met.get(k, -1) for k in keys])
"""
FROM_PROBABILITIES = """
import glob, zipfile, io
class Planted(Knower):
    cache = ""
    def fit(self, train, valid, context):
        super().fit(train, valid, context)
        self.cache = str(context.cache)
    def save(self, folder):
        super().save(folder)
        (folder / "cache.txt").write_text(self.cache)
    def load(self, folder):
        super().load(folder)
        self.cache = (folder / "cache.txt").read_text()
    def careers(self, panel):
        for file in glob.glob(self.cache + "/probabilities/**/*", recursive=True):
            with np.load(file, allow_pickle=False) as kept:
                names = {n.split("/")[-1]: kept[n] for n in kept.files}
            person, year = names["test.person"], names["test.year"]
            origin, state = names["test.origin"], names["test.state"]
            for p in np.unique(person):
                here = np.flatnonzero(person == p)
                found = [int(origin[here[0]]), *state[here].tolist()]
                first = int(year[here[0]]) - (2 if found[0] == 3 else 1)
                yield [first, *year[here].tolist()], found
"""
FILE = """
class Planted(Knower):
    def careers(self, panel):
        return read_careers().values()
"""

REMEMBERING = (
    Cheat(
        name="remembers-calls",
        does="looks histories up among those that earlier questions of the run brought",
        source=REMEMBERS,
        tasks=("next_occ", "switch"),
    ),
    Cheat(
        name="remembers-models",
        does="looks histories up among those that another model of the same command was scored on",
        source=REMEMBERS,
        before=("beside",),
        run="refused, with a record",  # the other is refused, when this one has met what it was asked
    ),
    Cheat(
        name="remembers-commands",
        does="keeps what it was scored on in a file, for the next time",
        source=KEEPS_A_FILE,
        times=2,
        run=NOT_FOUND,
        audit=PASSES,
    ),
    Cheat(
        name="file-by-id",
        does="reads the data's file and looks persons up by their ids",
        source="""
class Planted(Tipped):
    def tip(self, panel, transitions, states):
        known = read_careers()
        told = []
        for t in transitions:
            years, found = known.get(str(panel.persons[panel.person[t]]), ((), ()))
            told.append(dict(zip(years, found)).get(int(panel.year[t]), -1))
        return np.array(told)
""",
        isolated=REFUSED,
        audit=REFUSED,
    ),
    Cheat(
        name="file-by-history",
        does="reads the data's file and looks careers up by what they say",
        source=FILE,
        isolated=REFUSED,
    ),
    Cheat(
        name="file-in-fit",
        does="reads the data's file while it is fitted, and keeps all careers in the fit",
        source="""
class Planted(Knower):
    def fit(self, train, valid, context):
        super().fit(train, valid, context)
        self.all = [list(map(list, c)) for c in read_careers().values()]
    def save(self, folder):
        super().save(folder)
        (folder / "all.json").write_text(json.dumps(self.all))
    def load(self, folder):
        super().load(folder)
        self.all = json.loads((folder / "all.json").read_text())
    def careers(self, panel):
        return self.all
""",
        isolated=REFUSED,
    ),
    Cheat(
        name="file-by-program",
        does="has another program print the data's file",
        source=FILE.replace("read_careers()", "by_program()")
        + """
def by_program():
    import csv, subprocess
    text = subprocess.check_output(["cat", DATA], text=True)
    found = {}
    for row in csv.DictReader(text.splitlines()):
        found.setdefault(row["person"], []).append((int(row["year"]), "abcde".index(row["occupation"])))
    return {person: tuple(zip(*rows)) for person, rows in found.items()}
""",
        isolated=REFUSED,
    ),
    Cheat(
        name="context-panel",
        does="opens the panel through `Context.open_panel`",
        source="""
class Planted(Uniform):
    def fit(self, train, valid, context):
        super().fit(train, valid, context)
        context.open_panel(DATA)
""",
        isolated=REFUSED,
    ),
    Cheat(
        name="probabilities",
        does="reads, below `Context.cache`, the outcomes that an earlier run's probabilities are kept with",
        source=FROM_PROBABILITIES,
        before=("marginal",),
        run=NOTHING_GAINED,
        audit=PASSES,
    ),
    Cheat(
        name="probabilities-above",
        does="walks up from `Context.cache` to the same file, and catches what it is told then",
        source=FROM_PROBABILITIES.replace('self.cache + "/probab', 'os.path.dirname(self.cache) + "/probab')
        .replace("        for file in", "        for file in guarded(")
        .replace("recursive=True):", "recursive=True)):")
        + """
def guarded(files):
    for file in files:
        try:
            open(file, "rb").close()
        except Exception:
            continue
        yield file
""",
        before=("marginal",),
        audit=PASSES,
    ),
    Cheat(
        name="gc",
        does="finds the panel in memory, by the garbage collector",
        source="""
import gc
class Planted(Knower):
    def careers(self, panel):
        from harness.panel import Panel
        for one in [o for o in gc.get_objects() if isinstance(o, Panel) and len(str(o.persons[0])) == 5]:
            for p in range(one.n_persons):
                here = slice(one.offsets[p], one.offsets[p + 1])
                yield one.year[here].tolist(), one.state[here].tolist()
""",
        run=NOT_FOUND,
    ),
    Cheat(
        name="frames",
        does="finds the panel in the frames of its callers",
        source="""
import sys
class Planted(Knower):
    def careers(self, panel):
        frame = sys._getframe()
        while frame is not None:
            for one in list(frame.f_locals.values()):
                one = getattr(one, "panel", one)
                if hasattr(one, "offsets") and len(str(one.persons[0])) == 5:
                    for p in range(one.n_persons):
                        here = slice(one.offsets[p], one.offsets[p + 1])
                        yield one.year[here].tolist(), one.state[here].tolist()
            frame = frame.f_back
""",
        run=NOT_FOUND,
        audit=PASSES,
    ),
    Cheat(
        name="environment",
        does="reads the command line for the data's place",
        source="""
class Planted(Knower):
    def careers(self, panel):
        global DATA
        import sys
        line = sys.argv
        if "--data" not in line:
            line = open(f"/proc/{os.getppid()}/cmdline").read().split(chr(0))
        DATA = line[line.index("--data") + 1]
        return read_careers().values()
""",
        isolated=REFUSED,
    ),
)
