"""Whatever a model does in a step of its own is told in one line that names it, and is no part of a result."""

from __future__ import annotations

from typing import Any

import pytest
from helpers.toys import Frequencies, Parameters, entry_of, run_all, run_on

from harness.errors import RunError
from harness.model.audit import audit
from harness.model.contract import Context, Params
from harness.panel.careers import Panel
from harness.registry import Registry
from harness.runs.execute import Workshop


class OddError(BaseException):
    pass


ENDS = [
    (SystemExit(0), "SystemExit: 0"),
    (GeneratorExit(), "GeneratorExit"),
    (OddError("odd"), "OddError: odd"),
    (ValueError("of\n three\nlines"), "ValueError: of three lines"),
]


@pytest.mark.parametrize(("error", "told"), ENDS)
def test_what_a_model_raises_is_told_in_one_line(
    error: BaseException, told: str, registry: Registry, workshop: Workshop, four_persons: Panel
) -> None:
    class Raises(Frequencies):
        def fit(self, train: Panel, valid: Panel, context: Context) -> None:
            raise error

    entry = entry_of(Raises)
    with pytest.raises(RunError) as refused:
        run_all(run_on(registry, four_persons, entry=entry), workshop)
    assert str(refused.value) == f"model 'frequencies' failed in fit: {told}"
    with pytest.raises(RunError) as refused:
        list(audit(entry.item, Parameters(), four_persons))
    assert str(refused.value) == f"model 'frequencies' failed in fit: {told}"


def test_an_interrupt_is_the_user_s(registry: Registry, workshop: Workshop, four_persons: Panel) -> None:
    class Interrupted(Frequencies):
        def fit(self, train: Panel, valid: Panel, context: Context) -> None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_all(run_on(registry, four_persons, entry=entry_of(Interrupted)), workshop)


def test_what_a_model_prints_is_no_result(
    registry: Registry, workshop: Workshop, four_persons: Panel, capsys: pytest.CaptureFixture[str]
) -> None:
    class Prints(Frequencies):
        def fit(self, train: Panel, valid: Panel, context: Context) -> None:
            print("[]")  # noqa: T201
            super().fit(train, valid, context)

    run_all(run_on(registry, four_persons, entry=entry_of(Prints)), workshop)
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", "[]\n")


def test_the_audit_names_parameters_without_a_word_and_facts_that_no_record_can_hold(four_persons: Panel) -> None:
    class Bare(Params):
        weight: float = 1.0

    class Boasts(Frequencies):
        def facts(self) -> dict[str, Any]:
            return {"parameters_trained": {3}}

    told = {f.check: f.problem for f in audit(entry_of(Boasts, params=Bare).item, Bare(), four_persons)}
    assert told["describes its parameters"] == (
        "no description of weight: Field(..., description='its meaning and unit')"
    )
    assert str(told["tells facts as JSON"]).startswith("model 'frequencies' failed in facts: TypeError: ")
    sound = {f.check: f.problem for f in audit(entry_of(Frequencies).item, Parameters(), four_persons)}
    assert sound["describes its parameters"] is None
    assert sound["tells facts as JSON"] is None
