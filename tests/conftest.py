"""Panels that many tests ask about, and places on disk that they may write to."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.paths import SURVEY
from helpers.skips import reasons, refused
from helpers.tiny_llm import saved_llm
from hypothesis import settings

from harness.panel.careers import Covariate, Panel
from harness.panel.occupations import Occupations, Status
from harness.records.store import Store
from harness.registry import Registry, load_registry
from harness.runs.execute import Workshop

settings.register_profile("tests", deadline=None)  # machines are shared
settings.load_profile("tests")
MOST_WORKERS = 4  # each holds torch and a panel or two
SKIPPED: dict[str, str] = {}  # reason by test, of this session
IMPORTED = pytest.StashKey[int]()  # the number of modules, when objects were last kept from the collector


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--strict-skips", action="store_true", help="fail where a test skips that tests/skips.txt does not let skip"
    )


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Share the whole suite out; files that are named, and benchmarks, run in this process."""
    whole = config.args_source is pytest.Config.ArgsSource.TESTPATHS and config.option.markexpr == "not slow"
    return min(os.cpu_count() or 1, MOST_WORKERS) if whole else 0


def pytest_configure(config: pytest.Config) -> None:
    """Let each of several workers compute with one thread: more would wait for one another."""
    os.environ.pop("PYTEST_ADDOPTS", None)  # a pytest that a test starts is a plain one
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # a quarter of a short command is to compile what it imports
    if config.getoption("numprocesses", None):  # before workers start, so that they find it before any import
        for library in ("OMP", "OPENBLAS", "MKL"):
            os.environ.setdefault(f"{library}_NUM_THREADS", "1")


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.skipped and isinstance(report.longrepr, tuple):
        SKIPPED[report.nodeid] = report.longrepr[2].removeprefix("Skipped: ")


def pytest_collectreport(report: pytest.CollectReport) -> None:
    if report.skipped and isinstance(report.longrepr, tuple):
        SKIPPED[report.nodeid] = report.longrepr[2].removeprefix("Skipped: ")


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    if session.config.getoption("strict_skips") and not hasattr(session.config, "workerinput"):
        wrong = refused(SKIPPED, reasons())
        if wrong:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
            session.config.get_terminal_writer().write("\n" + "\n".join(wrong) + "\n", red=True)


@pytest.fixture(scope="module", autouse=True)
def few_objects_to_collect() -> None:
    """Each fit collects garbage: let it not go through every function of torch and of the tests each time."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def few_modules_to_collect(request: pytest.FixtureRequest) -> None:
    """Garbage is not looked for in modules either that earlier tests of this file were the first to import."""
    if len(sys.modules) > request.config.stash.get(IMPORTED, 0) + 50:
        gc.collect()
        gc.freeze()
        request.config.stash[IMPORTED] = len(sys.modules)


@pytest.fixture(scope="session")
def nlsy97() -> Path:
    """The folder of real careers, where the machine has it."""
    if not SURVEY.is_dir():
        pytest.skip("the survey extract is not on this machine")
    return SURVEY


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test reads or writes the user's cache; within one session what was cached stays."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HARNESS_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
        yield


@pytest.fixture(scope="session")
def market() -> Panel:
    """The default market, whole."""
    from harness.data.market import MarketParams, load_market

    return load_market(MarketParams())


def _market_of(persons: int) -> Any:
    """A market of so many persons."""

    @pytest.fixture(scope="session", name=f"market_{persons}")
    def few() -> Panel:
        from harness.data.market import MarketParams, load_market

        return load_market(MarketParams(persons=persons))

    return few


market_30, market_40, market_60, market_150, market_300 = map(_market_of, (30, 40, 60, 150, 300))


@pytest.fixture(scope="session")
def resumes() -> Panel:
    """Persons of the resume pool, of the same market."""
    from harness.data.market import ResumesParams, load_resumes

    return load_resumes(ResumesParams(persons=1500))


@pytest.fixture(scope="session")
def toy_llama(market_40: Panel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a Llama of random weights, large ones, so that what is read matters, and its tokenizer."""
    from harness.plugins.llm.base.pretrain import train_tokenizer

    tokenizer = train_tokenizer(market_40, 500, 2048)
    return saved_llm(tmp_path_factory.mktemp("llama"), "Llama", tokenizer, context=2048, scale=0.3)


@pytest.fixture(scope="session")
def registry() -> Registry:
    """The plugins that are installed: the built-in plugins, and whatever else this machine has."""
    return load_registry()


@pytest.fixture
def workshop(registry: Registry, tmp_path: Path) -> Workshop:
    """A run's place of its own: no records, nothing cached."""
    return Workshop(registry=registry, store=Store(tmp_path / "results"), cache=tmp_path / "cache")


@pytest.fixture
def four_persons() -> Panel:
    """Four careers over four states, small enough to work every likelihood by hand.

    States: 0 nurse, 1 clerk (employed), 2 unemployed, 3 out of the labor force.
        a (train): nurse 2000, nurse 2001, clerk 2002
        b (train): clerk 2000, out 2001, clerk 2002
        c (valid): unemployed 2000, clerk 2001
        d (test):  nurse 2000, nurse 2001, out 2002, out 2004, clerk 2005
    """
    occupations = Occupations(
        codes=("29-1141", "43-9061", "UNEMP", "OUT"),
        titles=("Registered nurses", "Office clerks", "Unemployed", "Out of the labor force"),
        groups=("29", "43", "UNEMP", "OUT"),
        statuses=(Status.EMPLOYED, Status.EMPLOYED, Status.UNEMPLOYED, Status.OUT),
    )
    lengths = [3, 3, 2, 5]
    return Panel(
        name="four-persons",
        persons=np.array(["a", "b", "c", "d"]),
        offsets=np.concatenate([[0], np.cumsum(lengths)]),
        year=np.array([2000, 2001, 2002, 2000, 2001, 2002, 2000, 2001, 2000, 2001, 2002, 2004, 2005]),
        state=np.array([0, 0, 1, 1, 3, 1, 2, 1, 0, 0, 3, 3, 1]),
        occupations=occupations,
        split=np.array([0, 0, 1, 2]),
        covariates={
            "birth_year": Covariate("numeric", np.repeat([1980.0, 1979.0, 1975.0, 1981.0], lengths), fixed=True),
            "gender": Covariate("categorical", np.repeat([0, 1, 0, 1], lengths), ("female", "male"), fixed=True),
        },
    )
