"""--set: whose parameter it is, and what is said of a wrong one."""

from __future__ import annotations

import pytest
from pydantic import Field

from harness.errors import RequestError
from harness.model.contract import Params
from harness.model.params import pairs, parse, validate
from harness.plugins.softmax.params import SoftmaxParams


class Schema(Params):
    rounds: int = Field(default=10, ge=1)
    rate: float = 0.1
    limit: int | None = None
    fast: bool = False


def test_sorted_by_owner() -> None:
    settings = parse(["task.entry=true", "data.persons=50", "gbm.rounds=3", "llm-lora.base=a=b.c"], ["gbm", "llm-lora"])
    assert settings.task == {"entry": "true"}
    assert settings.data == {"persons": "50"}
    assert settings.models == {"gbm": {"rounds": "3"}, "llm-lora": {"base": "a=b.c"}}


def test_without_an_owner_it_is_the_only_models() -> None:
    assert parse(["rounds=3"], ["gbm"]).models == {"gbm": {"rounds": "3"}}


@pytest.mark.parametrize(
    ("given", "models", "message"),
    [
        ("rounds=3", ["gbm", "mnl"], r"say whose parameter it is, gbm\.rounds or mnl\.rounds"),
        ("gmb.rounds=3", ["gbm"], "did you mean 'gbm'"),
        ("rounds", ["gbm"], "write name=value"),
        ("=3", ["gbm"], "write name=value"),
    ],
)
def test_refused(given: str, models: list[str], message: str) -> None:
    with pytest.raises(RequestError, match=message):
        parse([given], models)


@pytest.mark.parametrize("again", ["rounds=4", "gbm.rounds=4", "gbm.rounds=3"])
def test_a_parameter_has_one_value(again: str) -> None:
    with pytest.raises(RequestError, match=rf"--set {again}: 'rounds' of gbm is given twice, as 3 before"):
        parse(["rounds=3", again], ["gbm"])


def test_text_becomes_typed() -> None:
    made = validate(Schema, {"rounds": "3", "rate": "1e-3", "limit": "none", "fast": "true"}, "gbm")
    assert made == Schema(rounds=3, rate=1e-3, limit=None, fast=True)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"round": "3"}, "'gbm' has no parameter 'round'; did you mean 'rounds'"),
        ({"rounds": "many"}, r"gbm\.rounds=many: .*integer"),
        ({"rounds": "0"}, r"gbm\.rounds=0: .*greater than or equal to 1"),
    ],
)
def test_wrong_values(values: dict[str, str], message: str) -> None:
    with pytest.raises(RequestError, match=message):
        validate(Schema, values, "gbm")


def test_pairs() -> None:
    assert pairs(["person=ID", "year=Y=R"]) == {"person": "ID", "year": "Y=R"}
    with pytest.raises(RequestError, match="given twice"):
        pairs(["person=a", "person=b"])
    with pytest.raises(RequestError, match="--column person: write --column name=value"):
        pairs(["person"])


@pytest.mark.parametrize(("typed", "meant"), [("16,8", (16.0, 8.0)), (" 4 ", (4.0,)), ("3, 1,", (3.0, 1.0))])
def test_lists_are_typed_with_commas(typed: str, meant: tuple[float, ...]) -> None:
    assert validate(SoftmaxParams, {"penalties": typed}, "softmax").penalties == meant


@pytest.mark.parametrize("typed", ["0", "-1", "a", ""])
def test_a_list_that_holds_something_else_is_refused(typed: str) -> None:
    with pytest.raises(RequestError, match=r"softmax\.penalties"):
        validate(SoftmaxParams, {"penalties": typed}, "softmax")
