"""Templates of resume text: what stands around the titles, in jinja2's language.

A template has four blocks and nothing else:

    header      what a resume begins with. It knows ``person``: name -> words of every covariate that never changes, the
                birth year last; and ``start``: the same of those that change, as they were in the career's first
                record. Both have the empty string where a value is missing or left out
    head        what stands before a title in a line. It knows ``year``; ``education``, the level last known;
                ``education_changes``, whether it is new in this line; and ``facts`` (``facts``). Empty where unknown
    delimiter   what ends a title, and with it the line
    end         what stands behind a whole career

Between a head and its delimiter stand a blank and the title. No block knows a title, so that the text before one says
nothing of it. The line break after a block's tag is no part of the block.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from harness.errors import RequestError

if TYPE_CHECKING:
    from jinja2 import Environment, Template, nodes

BLOCKS: Mapping[str, tuple[str, ...]] = {  # each with the variables that it knows
    "header": ("person", "start"),
    "head": ("year", "education", "education_changes", "facts"),
    "delimiter": (),
    "end": (),
}
TEMPLATES: Mapping[str, str] = {
    "harness": r"""
{% block header %}
{% for name, value in person.items() if value %}
{{ name | replace("_", " ") }}: {{ value }}{{ "\n" if loop.last else "; " }}
{%- endfor %}
{% endblock %}
{% block head %}
{{ year }}{{ " " ~ education if education and education_changes }}{{ " " ~ facts if facts }}:
{%- endblock %}
{% block delimiter %}{{ "\n" }}{% endblock %}
{% block end %}
end of resume
{% endblock %}
""",
    # The shape of Athey et al. (2024, arXiv 2406.17972); what a panel has no covariate for is left out of its sentence.
    "labor-llm": r"""
{% block header %}
{% set gender = person.get("gender") or person.get("sex") %}
{% set region = person.get("region") or start.get("region") %}
{% set ethnicity = person.get("ethnicity") or person.get("race_ethnicity") or person.get("race") %}
<A worker from a survey>
The following information is available about the work history of a
{{- " " ~ gender if gender }}{{ " " ~ ethnicity if ethnicity }} US worker
{{- " residing in the " ~ region ~ " region" if region }}.
{% if person.get("birth_year") %}
The worker was born in {{ person.get("birth_year") }}.
{% endif %}
The worker has the following records of work experience, one entry per line,
{{- " including year, education level, and the job title:" }}
{% endblock %}
{% block head %}
{{ year }}{{ " (" ~ [education, facts] | select | join(", ") ~ ")" if education or facts }}:
{%- endblock %}
{% block delimiter %}{{ "\n" }}{% endblock %}
{% block end %}
<END OF DATA>
{% endblock %}
""",
}
MOST_RENDERED = 100_000  # pieces that a template remembers


@dataclass(frozen=True)
class ResumeTemplate:
    """A template, told from others by its text alone. name: for errors: a name of ``TEMPLATES``, or a file's."""

    source: str
    name: str = field(default="llm-lora.template", compare=False)

    @classmethod
    def of(cls, value: str) -> ResumeTemplate:
        """The template of a name, or the one that the value is the text of."""
        return cls(TEMPLATES[value], value) if value in TEMPLATES else cls(value)

    def header(self, person: Mapping[str, str], start: Mapping[str, str]) -> str:
        """The beginning of a resume of this person. RequestError where the template asks for what a panel lacks."""
        key = ("header", tuple(person.items()), tuple(start.items()))
        return self._rendered(key, {"person": dict(person), "start": dict(start)})

    def head(self, values: Mapping[str, Any]) -> str:
        """The text before a title. RequestError where it is empty: a title needs a token before it.

        values: year, int, or a time of another unit in words; education and facts, words; education_changes, bool.
        """
        head = self._rendered(("head", *values.items()), values)
        if not head:
            raise RequestError(f"{self.name}: the block 'head' is empty where {dict(values)}; write at least the year")
        return head

    @cached_property
    def delimiter(self) -> str:
        """The text that ends a title. RequestError where it is empty: nothing would say where a title ends."""
        delimiter = self._rendered(("delimiter",), {})
        if not delimiter:
            raise RequestError(
                f"{self.name}: the block 'delimiter' is empty, so that nothing ends a title; write such as "
                r'{% block delimiter %}{{ "\n" }}{% endblock %}'
            )
        return delimiter

    @cached_property
    def end(self) -> str:
        """The text behind a whole career."""
        return self._rendered(("end",), {})

    @cached_property
    def reads_start(self) -> bool:
        """True where the header says something of the career's first record."""
        from jinja2 import nodes

        blocks = _environment().parse(self.source).find_all(nodes.Block)
        return any(use.name == "start" for b in blocks if b.name == "header" for use in b.find_all(nodes.Name))

    @cached_property
    def _compiled(self) -> Template:
        from jinja2 import TemplateSyntaxError

        environment = _environment()
        try:
            tree = environment.parse(self.source)
            compiled = environment.from_string(self.source)
            wrong = next(_problems(tree, environment), None)
        except TemplateSyntaxError as error:
            raise self._wrong(error.lineno, str(error.message)) from error
        except RecursionError:
            raise self._wrong(0, "is nested too deeply") from None
        except ValueError:  # Python turns no number of more than 4,300 digits into an integer
            raise self._wrong(0, "holds a number of too many digits") from None
        if wrong is not None:
            raise self._wrong(*wrong)
        return compiled

    @cached_property
    def _known(self) -> dict[tuple[Any, ...], str]:
        return {}

    def _rendered(self, key: tuple[Any, ...], given: Mapping[str, Any]) -> str:
        """The text of block ``key[0]``. key: all that it depends on. given: its variables."""
        found = self._known.get(key)
        if found is None:
            if len(self._known) >= MOST_RENDERED:
                self._known.clear()
            found = self._known[key] = self._render(key[0], given)
        return found

    def _render(self, block: str, given: Mapping[str, Any]) -> str:
        from jinja2 import TemplateError

        template = self._compiled
        try:
            return "".join(template.blocks[block](template.new_context(dict(given))))
        except (TemplateError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            known = [f"'{name}' has {', '.join(of) or 'nothing'}" for name, of in given.items() if isinstance(of, dict)]
            raise self._wrong(_line(template, error.__traceback__), "; ".join([str(error), *known])) from error

    def _wrong(self, line: int, problem: str) -> RequestError:
        lines = self.source.splitlines()
        said = f", {lines[line - 1].strip()!r}" if 0 < line <= len(lines) and lines[line - 1].strip() else ""
        place = f"{self.name}:{line}{said}" if line else self.name
        return RequestError(f"{place}: {' '.join(problem.split())}")


def resolved(value: str) -> str:
    """A name of ``TEMPLATES`` as it is; for a file, or a template's text, the text, which needs the file no more.

    RequestError, with the file and the line, where the template is wrong, and where there is no such file.
    """
    if value in TEMPLATES:
        return value
    template = ResumeTemplate(value) if re.search(r"\{[%{#]", value) else _read(Path(value).expanduser())
    _ = template.delimiter, template.end  # say what is wrong with it now
    return template.source


def _read(path: Path) -> ResumeTemplate:
    try:
        return ResumeTemplate(path.read_text(encoding="utf-8"), str(path))
    except OSError as error:
        raise RequestError(
            f"llm-lora.template={path}: neither {' nor '.join(map(repr, TEMPLATES))} nor a file that can be read "
            f"({error.strerror or error}); write NAME or FILE.jinja"
        ) from error
    except UnicodeDecodeError as error:
        raise RequestError(f"{path}: is no text in UTF-8 ({error.reason} at byte {error.start})") from error


def _environment() -> Environment:
    """The surroundings of templates: no file, no chance, and nothing that outlives a block."""
    from jinja2 import StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    made = ImmutableSandboxedEnvironment(undefined=StrictUndefined, trim_blocks=True, autoescape=False)
    made.globals = {name: made.globals[name] for name in ("range", "namespace")}
    del made.filters["random"]
    return made


def _problems(tree: nodes.Template, environment: Environment) -> Iterator[tuple[int, str]]:
    """(line, what is wrong) of all that a template may not hold."""
    from jinja2 import meta, nodes

    told = f"a template has the blocks {', '.join(BLOCKS)}"
    for outside in tree.find_all((nodes.Include, nodes.Import, nodes.FromImport, nodes.Extends)):
        yield outside.lineno, f"a template stands alone, without {type(outside).__name__.lower()}"
    for node in tree.body:
        parts = node.nodes if isinstance(node, nodes.Output) else [node]
        for part in parts:
            blank = isinstance(part, nodes.TemplateData) and not part.data.strip()
            if not blank and not isinstance(part, nodes.Block):
                yield part.lineno, f"stands outside of every block; {told}, and nothing around them"
    blocks = {block.name: block for block in tree.find_all(nodes.Block)}
    for name, block in blocks.items():
        if name not in BLOCKS:
            yield block.lineno, f"has a block '{name}'; {told}"
    for name in BLOCKS:
        if name not in blocks:
            yield 0, f"has no block '{name}'; {told}"
    for name, block in blocks.items():
        alone = nodes.Template(block.body, lineno=block.lineno)
        alone.set_environment(environment)
        unknown = meta.find_undeclared_variables(alone) - set(BLOCKS[name]) - set(environment.globals)
        for use in block.find_all(nodes.Name):
            if use.name in unknown:
                known = f"knows {', '.join(BLOCKS[name])}" if BLOCKS[name] else "knows nothing"
                yield use.lineno, f"the block '{name}' does not know '{use.name}'; it {known}, and no title"


def _line(template: Template, trace: TracebackType | None) -> int:
    """The line of the template that an error came from."""
    line = 0
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == (template.filename or "<template>"):
            line = template.get_corresponding_lineno(trace.tb_lineno)
        trace = trace.tb_next
    return line
