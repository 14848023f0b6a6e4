"""Options that say how files of careers are read: which object, which shape, which values are missing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from harness.errors import RequestError, did_you_mean


def _as_words(value: Any) -> Any:
    """A list of words from one text with commas; a file may hold a list, or a number."""
    if value is None:
        return ()
    if isinstance(value, str):
        return tuple(word.strip() for word in value.split(",")) if value else ()
    return tuple(str(word) for word in value) if isinstance(value, list | tuple) else (str(value),)


def _as_list(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


Words = Annotated[tuple[str, ...], BeforeValidator(_as_words)]
TimeUnit = Literal["year", "quarter", "month", "wave", "age"]


class FileReading(BaseModel):
    """Options that say how a file becomes careers.

    An option that is not given is seen from the file, or the file is refused with the option that says it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    object: str | None = Field(None, description="data frame of an R file, sheet of a workbook, file of an archive")
    delimiter: str | None = Field(None, description="mark between entries of a text file: a character, tab or blanks")
    decimal: str | None = Field(None, description="decimal mark of a text file: . or ,")
    encoding: str | None = Field(None, description="encoding of a text file that is not UTF-8, such as latin-1")
    names: Words = Field((), description="names of the columns of a file that has no line of names")
    titles_from: Literal["labels", "codes"] | None = Field(None, description="titles of states: value labels, or codes")
    wide: Annotated[tuple[str, ...], BeforeValidator(_as_list)] = Field(
        (), description="ranges of columns, each column a point in time: FIRST..LAST or NAME=FIRST..LAST"
    )
    spells: dict[str, str] = Field(default_factory=dict, description="columns of a spell's begin and end")
    main: str | None = Field(
        None, description="the record kept of several at one time: longest, latest or NAME=COLUMN, the largest"
    )
    unit: TimeUnit | None = Field(None, description="unit of the file's times, where they do not show it")
    century: int | None = Field(None, description="first of the hundred years that two-digit years stand for")
    dates: str | None = Field(
        None, description="order of dates, day or month first; or the date from which numbers count days, as 1960-01-01"
    )
    every: str | None = Field(None, description="thin to a record a year, quarter or month; year:6 takes that of June")
    order: Literal["file", "time"] | None = Field(
        None, description="order of each person's rows: as in the file, or put in order of time"
    )
    rows_each: int | None = Field(
        None, gt=0, description="rows of each person, one after another, in a file without ids"
    )
    missing: Words = Field((), description="values that stand for missing, such as -5..-1, NA, .a")
    drop: Words = Field((), description="columns that are not read")
    covariates: Words = Field((), description="columns that become covariates, no others")
    lag: Words = Field((), description="covariates whose value is taken from the person's record before")

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> FileReading:
        """The options of a mapping, or of a command line. RequestError for what is none of them, or no value of one."""
        try:
            return cls.model_validate(dict(options))
        except ValidationError as error:
            first = error.errors()[0]
            name = str(first["loc"][0])
            if first["type"] == "extra_forbidden":
                raise RequestError(f"{name}: no such option; {did_you_mean(name, cls.model_fields)}") from error
            raise RequestError(f"--{name.replace('_', '-')} {first['input']}: {first['msg']}") from error

    def given(self) -> dict[str, Any]:
        """The options that were given, as JSON has them."""
        return self.model_dump(mode="json", exclude_defaults=True)

    def words(self) -> list[str]:
        """The same as options of a command line."""
        line: list[str] = []
        for option, value in self.given().items():
            flag = f"--{option.replace('_', '-')}"
            if option == "wide":
                line += [word for one in value for word in (flag, one)]
            elif option == "spells":
                line += [flag, *(f"{end}={column}" for end, column in value.items())]
            else:
                line += [flag, ",".join(value) if isinstance(value, list) else str(value)]
        return line


@dataclass(frozen=True)
class MissingValues:
    """Values that stand for no value, in every kind of column. words: casefolded; ranges: both ends belong to one."""

    words: frozenset[str]
    ranges: tuple[tuple[float, float], ...]

    @classmethod
    def of(cls, rules: Iterable[str]) -> MissingValues:
        """RequestError for a range that is none."""
        words, ranges = {""}, []
        for rule in rules:
            first, dots, last = rule.partition("..")
            if not dots or not first:  # '..' begins no range: '.' and '.a' are words
                words.add(rule.casefold())
                if (number := _number(rule)) is not None:
                    ranges.append((number, number))
                continue
            ends = _number(first), _number(last)
            if ends[0] is None or ends[1] is None or ends[0] > ends[1]:
                raise RequestError(f"--missing {rule}: write a range of numbers from the least on, as -5..-1")
            ranges.append((ends[0], ends[1]))
        return cls(frozenset(words), tuple(ranges))

    def has(self, value: str) -> bool:
        value = value.strip()
        if value.casefold() in self.words:
            return True
        number = _number(value) if self.ranges else None
        return number is not None and any(first <= number <= last for first, last in self.ranges)

    def has_number(self, value: float) -> bool:
        return any(first <= value <= last for first, last in self.ranges)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
