"""Every reader of files that strangers make, with sound files to break and a second opinion on what was read."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import numpy as np

from harness.data.open import open_panel
from harness.panel import Panel
from harness.records import Store, predictions
from harness.records.record import Record
from harness.records.store import to_text
from harness.runs.execute import Workshop, execute
from harness.runs.fits import load
from harness.runs.request import RunRequest, read
from harness.runs.run import Run
from reliability.broken.careers import CAREERS, OCCUPATIONS, SCHEMA, panel, plain_id, registry
from reliability.broken.fuzz import Reader, plain, says
from reliability.broken.mutations import of_bytes, of_gzip, of_json, of_parquet, rows_of
from reliability.broken.submissions import probability_rows, reader_of, submitted_parquet


def _parquet(content: bytes) -> bytes:
    import pyarrow as pa
    from pyarrow import csv, parquet

    kinds = {"person": pa.int64(), "year": pa.int32(), "occupation": pa.string(), "split": pa.string()}
    table = csv.read_csv(io.BytesIO(content), convert_options=csv.ConvertOptions(column_types=kinds))
    made = io.BytesIO()
    parquet.write_table(table, made)
    return made.getvalue()


def sound_panel(made: Panel) -> str | None:
    """A sentence on a panel that cannot be one."""
    return says(
        (len(set(made.persons.tolist())) == made.n_persons, "a person stands there twice"),
        (bool((made.state >= 0).all() and (made.state < made.n_states).all()), "a state that is none"),
        (bool((np.diff(made.offsets) > 0).all() and made.offsets[-1] == made.n_records), "offsets that are none"),
        (all(len(c.values) == made.n_records for c in made.covariates.values()), "a covariate of another length"),
        (bool((np.diff(made.year)[np.diff(made.person) == 0] > 0).all()), "years out of order"),
        (bool(np.isin(made.split, (0, 1, 2)).all()), "a split that is none"),
    )


def _records(made: Panel) -> set[tuple[str, int, str]]:
    codes = np.array(made.occupations.codes, dtype=object)
    return set(zip(made.persons[made.person].tolist(), made.year.tolist(), codes[made.state].tolist(), strict=True))


def _as_written(made: Panel, text: bytes) -> str | None:
    """A sentence on records that the file does not say, as a reader of csv that is not ours sees it."""
    wrong = sound_panel(made)
    if wrong is not None:
        return wrong
    try:
        head, *rows = rows_of(text.decode("utf-8-sig"))
        said = set()
        for row in rows:
            of = dict(zip((name.strip() for name in head), (cell.strip() for cell in row), strict=True))
            said.add((plain_id(of["person"]), int(float(of["year"])), of["occupation"]))
    except (ValueError, KeyError, UnicodeDecodeError, OverflowError, Exception):  # noqa: BLE001 - no second opinion
        return None
    mine = {(plain_id(person), year, code) for person, year, code in _records(made)}
    other = sorted(mine - said) or sorted(said - mine)
    return f"reads {len(mine)} records, the file says {len(said)}, such as {plain(other[0])}" if other else None


def _folder(where: Path) -> str | None:
    return _as_written(open_panel(where), (where / "careers.csv").read_bytes())


def _single(name: str, unpacked: Callable[[bytes], bytes] | None) -> Callable[[Path], str | None]:
    def read_it(where: Path) -> str | None:
        made = open_panel(where / name, occupations=where / "occupations.csv")
        return sound_panel(made) if unpacked is None else _as_written(made, unpacked((where / name).read_bytes()))

    return read_it


def _career_format() -> dict[str, bytes]:
    files = {}
    for split, lines in (("train", 6), ("valid", 3), ("test", 4)):
        files[f"{split}.job"] = "".join(f"a b {'c a' if i % 2 else 'b'}\n" for i in range(lines)).encode()
        files[f"{split}.year"] = "".join(
            f"1990 1991 {'1992 1993' if i % 2 else '1995'}\n" for i in range(lines)
        ).encode()
        files[f"{split}.gender"] = b"f\n" * lines
    return files


@cache
def _made() -> tuple[Record, Path, Run]:
    """A record of a small run, the folder of its cache, and the run."""
    folder = Path(mkdtemp(prefix="reliability-"))
    model = registry().model("markov")
    run = Run(model=model, params=model.item.params(), tasks=(registry().task("next_occ"),), panel=panel())
    [record] = execute(run, Workshop(registry=registry(), store=Store(folder / "records"), cache=folder / "cache"))
    return record, folder / "cache", run


def _record(where: Path) -> str | None:
    from harness.boards.board import boards

    store = Store(where)
    path = where / "panel" / "a.json"
    head = store.head(path)
    record = store.read(path)
    again = json.loads(to_text(record))
    assert again["id"] == head.id
    for board in boards([record]):
        for row in board.rows:
            if not all(np.isfinite(v) for v in row.figures.values() if v is not None):
                return "a figure that is no number"
    return None


def _probabilities(where: Path) -> str | None:
    record, _, _ = _made()
    kept = where / "probabilities" / f"{record.id}.npz"
    assert kept.exists()
    found = predictions.load(where, record)["test"]
    return says((abs(found.log_prob.sum() - sum(record.evidence.log_likelihood)) < 1e-3, "another log-likelihood"))


def _fit(where: Path) -> str | None:
    _, _, run = _made()
    kept = load(run.model.item, run.params, where / "fit", "cpu")
    test = panel().part("test")
    states = np.broadcast_to(np.arange(test.n_states), (len(test.transitions), test.n_states))
    rows = kept.model.log_prob(test, test.transitions, states)  # type: ignore[attr-defined]
    return says((bool(np.allclose(rows, _rows(), atol=1e-6)), "another model"))


@cache
def _rows() -> np.ndarray:
    _, cached, run = _made()
    test = panel().part("test")
    states = np.broadcast_to(np.arange(test.n_states), (len(test.transitions), test.n_states))
    kept = load(run.model.item, run.params, cached / "fits" / run.fit_name, "cpu")
    return np.asarray(kept.model.log_prob(test, test.transitions, states))  # type: ignore[attr-defined]


REQUEST = b"""\
panel:
  data: market
  parameters: {persons: 300}
tasks: [next_occ, switch]
models:
  markov: {}
  gbm: {rounds: 20, learning_rate: 0.1}
seed: 3
train_persons: [0, 100]
"""


def _request(where: Path) -> str | None:
    asked = read(RunRequest, where / "request.yaml")
    asked.require_known(registry())
    return says((asked.seed >= 0, "a seed below zero"))


def _template(where: Path) -> str | None:
    from harness.plugins.llm.text.template import ResumeTemplate, resolved

    template = ResumeTemplate(resolved(str(where / "t.jinja")))
    head = template.head({"year": 2000, "education": "college", "facts": "", "education_changes": True})
    start = template.header({"gender": "female", "birth_year": "1970"}, {"region": "West"})
    return says((isinstance(head, str) and isinstance(start, str), "no text"))


def _gguf(where: Path) -> str | None:
    from harness.plugins.llm.base.gguf import converted
    from harness.system.progress import Silent

    converted(where / "base.gguf", where.parent / "cache", Silent())
    return None


@cache
def _gguf_file() -> bytes:
    from helpers.gguf_files import write_gguf
    from helpers.tiny_llm import saved_llm
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from harness.plugins.llm.base.pretrain import train_tokenizer

    folder = Path(mkdtemp(prefix="reliability-"))
    saved_llm(folder, "Llama", train_tokenizer(panel(), 300, 256), context=256, scale=0.3)
    model, tokenizer = AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    return write_gguf(folder / "base.gguf", model, tokenizer, name="toy").read_bytes()


def readers() -> dict[str, Callable[[], Reader]]:
    """Readers by name, each made when it is asked for."""
    table = {"occupations.csv": OCCUPATIONS.encode()}

    def careers(name: str, content: bytes, how: object, unpacked: Callable[[bytes], bytes] | None) -> Reader:
        label = name.removeprefix("careers.")
        return Reader(f"careers-{label}", {name: content, **table}, {name: how}, _single(name, unpacked))  # type: ignore[dict-item]

    def folder() -> Reader:
        files = {"careers.csv": CAREERS, **table, "columns.json": SCHEMA.encode()}
        return Reader(
            "folder", files, {"careers.csv": of_bytes, "occupations.csv": of_bytes, "columns.json": of_json}, _folder
        )

    def career() -> Reader:
        files = _career_format()
        return Reader(
            "career-format", files, dict.fromkeys(files, of_bytes), lambda where: sound_panel(open_panel(where))
        )

    def score(name: str, content: bytes, how: object, unpacked: Callable[[bytes], bytes] | None = None) -> Reader:
        label = name.removeprefix("p-")
        return Reader(f"score-{label}", {name: content}, {name: how}, reader_of(name, unpacked))  # type: ignore[dict-item]

    def record() -> Reader:
        return Reader("record", {"panel/a.json": to_text(_made()[0]).encode()}, {"panel/a.json": of_json}, _record)

    def kept_probabilities() -> Reader:
        made, cached, _ = _made()
        name = f"probabilities/{made.id}.npz"
        return Reader("probabilities", {name: (cached / name).read_bytes()}, {name: of_bytes}, _probabilities)

    def fit() -> Reader:
        _, cached, run = _made()
        place = cached / "fits" / run.fit_name
        files = {f"fit/{p.relative_to(place)}": p.read_bytes() for p in place.rglob("*") if p.is_file()}
        return Reader("fit", files, {name: of_json if name.endswith(".json") else of_bytes for name in files}, _fit)

    def template() -> Reader:
        from harness.plugins.llm.text.template import TEMPLATES

        return Reader("template", {"t.jinja": TEMPLATES["labor-llm"].encode()}, {"t.jinja": of_bytes}, _template)

    same = lambda content: content  # noqa: E731 - unpacked already
    return {
        "careers-csv": lambda: careers("careers.csv", CAREERS, of_bytes, same),
        "careers-csv.gz": lambda: careers("careers.csv.gz", gzip.compress(CAREERS, mtime=0), of_gzip, gzip.decompress),
        "careers-parquet": lambda: careers("careers.parquet", _parquet(CAREERS), of_parquet, None),
        "folder": folder,
        "career-format": career,
        "score-long.csv": lambda: score("p-long.csv", probability_rows("long"), of_bytes, same),
        "score-wide.csv": lambda: score("p-wide.csv", probability_rows("wide"), of_bytes, same),
        "score-long.csv.gz": lambda: score(
            "p-long.csv.gz", gzip.compress(probability_rows("long"), mtime=0), of_gzip, gzip.decompress
        ),
        "score-wide.parquet": lambda: score("p-wide.parquet", submitted_parquet(), of_parquet),
        "record": record,
        "request": lambda: Reader("request", {"request.yaml": REQUEST}, {"request.yaml": of_bytes}, _request),
        "probabilities": kept_probabilities,
        "fit": fit,
        "template": template,
        "gguf": lambda: Reader("gguf", {"base.gguf": _gguf_file()}, {"base.gguf": of_bytes}, _gguf),
    }
