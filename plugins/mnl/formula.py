"""Designs as economists write them: a formula over the features of a transition, by formulaic."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from harness.errors import RequestError, did_you_mean
from harness.features.catalogue import Feature, FeatureTable, build, known
from harness.panel import Panel
from harness.types import BoolArray, FloatArray, IntArray

# All that a formula may call: numbers of a column, and how the levels of one are coded.
FUNCTIONS: Mapping[str, Any] = {"log": np.log, "log1p": np.log1p, "exp": np.exp, "sqrt": np.sqrt, "abs": np.abs}
CODINGS = ("C", "Treatment", "Sum")
POWER = re.compile(r"(?<![\w.])([A-Za-z_]\w*)\s*\*\*\s*(\d+)")
PARTS = (ast.Name, ast.Call, ast.Constant, ast.BinOp, ast.UnaryOp, ast.keyword, ast.operator, ast.unaryop, ast.Load)
MISSING = "missing"


@dataclass(frozen=True, kw_only=True)
class Column:
    """A variable of a formula. levels: its names in training, the most frequent first; empty of a number.

    fill: what stands for a missing number: the mean in training. gaps: some were missing there, so that
    ``missing_NAME`` is a variable too.
    """

    name: str
    levels: tuple[str, ...] = ()
    fill: float = 0.0
    gaps: bool = False


@dataclass(frozen=True, kw_only=True)
class Variables:
    """The variables of n transitions. numbers: float64 [n]. codes: int64 [n], places among a column's levels."""

    n: int
    columns: Mapping[str, Column]
    numbers: Mapping[str, FloatArray]
    codes: Mapping[str, IntArray]

    def with_number(self, name: str, values: FloatArray) -> Variables:
        """The same transitions with another value of a number."""
        return replace(self, numbers={**self.numbers, name: values})

    def with_level(self, name: str, place: int) -> Variables:
        """The same transitions, all of one level."""
        return replace(self, codes={**self.codes, name: np.full_like(self.codes[name], place)})

    def frame(self) -> Any:
        """A pandas frame; levels as a categorical of all that training has."""
        import pandas as pd

        made: dict[str, Any] = dict(self.numbers)
        for name, code in self.codes.items():
            levels = pd.CategoricalDtype(list(self.columns[name].levels))
            made[name] = pd.Categorical.from_codes(code.tolist(), dtype=levels)
        return pd.DataFrame(made, index=range(self.n))


@dataclass(frozen=True, kw_only=True)
class Formula:
    """The right-hand side of a formula, checked, and the variables that it names.

    text: as it was asked for. written: in formulaic's grammar, where a power of a number stands in braces.
    """

    text: str
    written: str
    names: tuple[str, ...]

    @classmethod
    def of(cls, text: str, panel: Panel) -> Formula:
        """RequestError for what is no formula, names no feature of the panel, or calls what a formula may not."""
        from formulaic import Formula as Parsed
        from formulaic.errors import FormulaicError

        features = known(panel)
        numbers = {name for name, feature in features.items() if not feature.categorical}
        left, _, right = text.rpartition("~")
        written = POWER.sub(lambda m: f"{{{m[0]}}}" if m[1] in numbers else m[0], right)
        if left.strip() or "~" in left:
            raise RequestError(f"mlogit.formula: '{text}' has a left-hand side; the outcome is always the next state")
        try:
            factors = {factor.expr: factor for term in Parsed(written) for factor in term.factors}
            variables = sorted({name for expr in factors for name in _names(expr, text)})
        except (FormulaicError, SyntaxError) as error:
            reason = re.sub(r"\x1b\[[0-9;]*m", "", str(error)).strip().split("\n")[0]
            raise RequestError(f"mlogit.formula: '{text}' is no formula: {reason}") from error
        for name in variables:
            if name not in features:
                raise RequestError(f"mlogit.formula: there is no feature '{name}' here; {did_you_mean(name, features)}")
        return cls(text=text, written=written, names=tuple(variables))

    def matrix(self, variables: Variables) -> tuple[tuple[str, ...], FloatArray]:
        """Names of the columns and the columns, float64 [n, d], a constant first. RequestError for what has none."""
        from formulaic import Formula as Parsed
        from formulaic.errors import FormulaicError

        gaps = "".join(f" + {MISSING}_{c.name}" for c in variables.columns.values() if c.gaps)
        try:
            with np.errstate(all="ignore"):
                made = Parsed(self.written + gaps).get_model_matrix(
                    variables.frame(), context=dict(FUNCTIONS), output="pandas", na_action="ignore"
                )
        except FormulaicError as error:
            raise RequestError(f"mlogit.formula: '{self.text}': {str(error).splitlines()[0]}") from error
        names, X = tuple(map(str, made.columns)), np.asarray(made, dtype=np.float64)
        if not names or names[0] != "Intercept":
            raise RequestError(f"mlogit.formula: '{self.text}' leaves out the constant, which every equation has")
        for j in np.flatnonzero(~np.isfinite(X).all(axis=0)):
            raise RequestError(
                f"mlogit.formula: '{names[j]}' is not a number for some transitions, such as a logarithm of zero"
            )
        return names, X


def columns_of(formula: Formula, panel: Panel, transitions: IntArray, weight: FloatArray) -> dict[str, Column]:
    """The variables of a formula as training has them. transitions: int64 [n]; weight: float64 [n]."""
    table = build(panel, transitions, formula.names)
    return {name: _column(table, name, panel, weight) for name in formula.names}


def variables_of(columns: Mapping[str, Column], panel: Panel, transitions: IntArray) -> Variables:
    """The variables of transitions; a level that training does not have is taken for its most frequent one."""
    table = build(panel, transitions, columns)
    numbers: dict[str, FloatArray] = {}
    codes: dict[str, IntArray] = {}
    for name, column in columns.items():
        if column.levels:
            place = {level: i for i, level in enumerate(column.levels)}
            labels = _labels(table.features[name], panel)
            codes[name] = np.array([place.get(label, 0) for label in labels], dtype=np.int64)[table[name]]
        else:
            gap: BoolArray = np.isnan(table[name])
            numbers[name] = np.where(gap, column.fill, table[name])
            if column.gaps:
                numbers[f"{MISSING}_{name}"] = gap.astype(np.float64)
    return Variables(n=len(transitions), columns=columns, numbers=numbers, codes=codes)


def _column(table: FeatureTable, name: str, panel: Panel, weight: FloatArray) -> Column:
    values = table[name]
    if not table.features[name].categorical:
        gap: BoolArray = np.isnan(values)
        if gap.all():
            raise RequestError(f"mlogit.formula: '{name}' is missing everywhere in training")
        fill = float(np.average(values[~gap], weights=weight[~gap])) if weight[~gap].any() else 0.0
        return Column(name=name, fill=fill, gaps=bool(gap.any()))
    labels = _labels(table.features[name], panel)
    count = np.bincount(values % len(labels), weights=weight, minlength=len(labels))
    order = np.argsort(-count, kind="stable")
    return Column(name=name, levels=tuple(labels[k] for k in order if count[k] > 0))


def _labels(feature: Feature, panel: Panel) -> tuple[str, ...]:
    """Names of the codes of a feature, that of -1 the last."""
    if feature.values == "state":
        names = _state_names(panel)
    else:
        names = tuple(panel.occupations.group_index()[1]) if feature.values == "group" else feature.levels
    return (*names, MISSING)


def _state_names(panel: Panel) -> tuple[str, ...]:
    """Titles of the states, with their codes where two have one title."""
    titles, codes = panel.occupations.titles, panel.occupations.codes
    plain = len(set(titles)) == len(titles)
    return tuple(titles) if plain else tuple(f"{t} ({c})" for t, c in zip(titles, codes, strict=True))


def _names(expr: str, text: str) -> Iterator[str]:
    """Variables of one factor. RequestError for an expression that is more than columns, numbers and known functions.

    A formula is evaluated as Python, and may come with a request that somebody else wrote.
    """
    try:
        tree = ast.parse(expr.strip("{}`"), mode="eval").body
    except SyntaxError as error:
        raise RequestError(f"mlogit.formula: '{text}': '{expr}' is no expression") from error
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    for node in ast.walk(tree):
        allowed = isinstance(node, PARTS)
        if isinstance(node, ast.Name) and id(node) in called:
            allowed = node.id in (*FUNCTIONS, *CODINGS)
        elif isinstance(node, ast.Name):
            yield node.id
        if isinstance(node, ast.Call) and not isinstance(node.func, ast.Name):
            allowed = False
        if not allowed:
            raise RequestError(
                f"mlogit.formula: '{text}': '{expr}' is not allowed; a formula has names of features, numbers, + - * / "
                f": ** and {', '.join((*FUNCTIONS, *CODINGS))}"
            )
