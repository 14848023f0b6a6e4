"""The text around the titles: named templates, a user's own, facts of the career, and what a template may not do."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.panels import open_once
from helpers.tiny_llm import saved_llm

from harness import features
from harness.errors import RequestError
from harness.model.audit import AuditSetup, audit
from harness.model.contract import Context
from harness.model.params import validate
from harness.panel.careers import Covariate, Panel
from harness.plugins.llm import harness_models
from harness.plugins.llm.base.pretrain import recipe_of, train_tokenizer
from harness.plugins.llm.params import LlmParams, options_of
from harness.plugins.llm.specs import build
from harness.plugins.llm.text import tokenizer_audit
from harness.plugins.llm.text.pieces import PieceEncoder
from harness.plugins.llm.text.resume import TextOptions, resume_text, written_resume
from harness.plugins.llm.text.template import TEMPLATES, ResumeTemplate
from harness.plugins.llm.text.tokens import Resumes
from harness.records.kinds import in_a_line
from harness.registry import Registry
from harness.runs.run import Run

OWN = r"""
{# one line a career #}
{% block header %}{{ person.gender }} from {{ start.region or "?" }}: {% endblock %}
{% block head %}{{ "%02d" % (year % 100) }}{{ "*" if education_changes }},{% endblock %}
{% block delimiter %} |{% endblock %}
{% block end %}
.
{% endblock %}
"""


@pytest.fixture(scope="module")
def tokenizer(market_40: Panel) -> Any:
    return train_tokenizer(market_40, 500, 1024)


def with_more(panel: Panel) -> Panel:
    education = Covariate("categorical", np.array([-1, 0, 0, 0, 1, 1, 1, -1, -1, -1, -1, -1, -1]), ("none", "college"))
    region = Covariate("categorical", np.array([0, 1, 1, 1, 1, 0, -1, 0, 0, 0, 0, 0, 0]), ("south", "west"))
    return replace(panel, covariates={**panel.covariates, "education": education, "region": region})


def options(**given: Any) -> TextOptions:
    return options_of(LlmParams(**given))


def test_the_papers_shape(four_persons: Panel) -> None:
    panel = with_more(four_persons)
    assert written_resume(panel, 1, options(template="labor-llm")) == (
        "<A worker from a survey>\n"
        "The following information is available about the work history of a male US worker residing in the west "
        "region.\n"
        "The worker was born in 1979.\n"
        "The worker has the following records of work experience, one entry per line, including year, education level, "
        "and the job title:\n"
        "2000 (none): Office clerks\n2001 (college): Out of the labor force\n2002 (college): Office clerks\n"
        "<END OF DATA>\n"
    )
    unknown = written_resume(panel, 2, options(template="labor-llm", demographics=False, birth_year=False))
    assert "work history of a US worker.\nThe worker has" in unknown
    assert "\n2001 (college): Office clerks\n" in unknown  # last known


def test_a_file_of_ones_own_is_kept_as_its_text(four_persons: Panel, tmp_path: Path) -> None:
    panel, file = with_more(four_persons), tmp_path / "own.jinja"
    file.write_text(OWN)
    params = LlmParams(template=str(file))
    assert params.template == OWN
    assert LlmParams(**params.model_dump()) == params
    file.unlink()
    text = "male from west: 00*, Office clerks |01*, Out of the labor force |02, Office clerks |.\n"
    assert written_resume(panel, 1, options_of(params)) == text
    assert written_resume(panel, 2, options_of(params)).startswith("female from ?: ")


@pytest.mark.parametrize("template", [*TEMPLATES, OWN])
def test_every_target_is_read_behind_its_own_head(four_persons: Panel, tokenizer: Any, template: str) -> None:
    """The ids say the text; what stands before a title is the same whatever that title and later records are."""
    panel, chosen = with_more(four_persons), options(template=template, career_facts="all")
    tokenizer_audit.audit(tokenizer, resume_text(panel, chosen))
    resumes = Resumes(panel, PieceEncoder(tokenizer), 2048, chosen)
    windows = resumes.windows(np.arange(panel.n_records), end=True)
    for person in range(panel.n_persons):
        assert tokenizer.decode(windows.tokens[person]) == "<s>" + written_resume(panel, person, chosen)
    for target in range(panel.n_records):
        later = np.arange(panel.n_records) >= target
        other = replace(panel, state=np.where(later, (panel.state + 1) % panel.n_states, panel.state))
        found = [Resumes(p, PieceEncoder(tokenizer), 2048, chosen).windows(np.array([target])) for p in (panel, other)]
        before = [w.tokens[0][: w.at[0] + 1] for w in found]
        np.testing.assert_array_equal(before[0], before[1])


WRONG = {
    "{{ titel }}": "own.jinja:2, .*block 'head' does not know 'titel'; it knows year, education",
    "{{ year": "own.jinja:2",
    "{{ year | shuffle }}": "own.jinja:2.*No filter named 'shuffle'",
    "{{ year | random }}": "own.jinja:2.*No filter named 'random'",
    "{% include 'x' %}": "own.jinja:2.*stands alone, without include",
    "{% block other %}{% endblock %}": "own.jinja:2.*has a block 'other'; a template has the blocks header, head",
    "{% endblock %}{{ 1 }}{% block x %}": "own.jinja:2",
}


@pytest.mark.parametrize("head", WRONG)
def test_a_wrong_template_says_where_and_what(tmp_path: Path, head: str) -> None:
    file = tmp_path / "own.jinja"
    file.write_text(
        "{% block header %}{% endblock %}\n{% block head %}" + head + "{% endblock %}\n"
        "{% block delimiter %}|{% endblock %}{% block end %}{% endblock %}"
    )
    with pytest.raises(RequestError, match=WRONG[head]) as caught:
        validate(LlmParams, {"template": str(file)}, "llm-lora")
    assert "\n" not in str(caught.value)


def test_blocks_are_needed_and_end_something(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r"gone.jinja: neither 'harness' nor 'labor-llm' nor a file"):
        LlmParams(template=str(tmp_path / "gone.jinja"))
    with pytest.raises(RequestError, match="'delimiter' is empty, so that nothing ends a title"):
        LlmParams(template=OWN.replace("delimiter %} |", "delimiter %}"))
    with pytest.raises(RequestError, match="has no block 'end'"):
        LlmParams(template=OWN[: OWN.index("{% block end")])
    with pytest.raises(RequestError, match=r":1.*stands outside of every block"):
        LlmParams(template="A line" + OWN)


def test_what_a_panel_lacks_is_an_error_that_names_what_it_has(four_persons: Panel) -> None:
    with pytest.raises(
        RequestError, match=r":3.*no attribute 'region'.*'person' has gender, birth_year; 'start' has n"
    ):
        resume_text(four_persons, options(template=OWN))
    hidden = options(template=OWN.replace("{% block head %}", "{% block head %}{{ year.__class__.mro() }}"))
    with pytest.raises(RequestError, match="unsafe"):
        resume_text(with_more(four_persons), hidden)
    silent = options(template=OWN.replace('{{ "%02d" % (year % 100) }}{{ "*" if education_changes }},', ""))
    with pytest.raises(RequestError, match="'head' is empty"):
        resume_text(with_more(four_persons), silent)


def test_facts_are_of_the_record_before(four_persons: Panel) -> None:
    def heads(career_facts: str, person: int) -> list[str]:
        lines = written_resume(four_persons, person, options(career_facts=career_facts)).splitlines()
        return [line.partition(":")[0] for line in lines[1:-1]]

    assert heads("none", 3) == ["2000", "2001", "2002", "2004", "2005"]
    assert heads("tenure", 3) == [
        "2000",
        *(
            f"{y} after {n}"
            for y, n in zip((2001, 2002, 2004, 2005), ("1 year", "2 years", "1 year", "3 years"), strict=True)
        ),
    ]  # out 2002 to 2004
    back = four_persons.state.copy()
    back[8:] = [0, 1, 0, 1, 1]
    panel = replace(four_persons, state=back)
    lines = written_resume(panel, 3, options(career_facts="all")).splitlines()[3:-1]
    assert [line.partition(":")[0] for line in lines] == [
        "2002 after 1 year",
        "2004 after 1 year, held 1 time before",
        "2005 after 1 year, held 1 time before",
    ]


def test_facts_are_the_catalogues(market_40: Panel) -> None:
    text = resume_text(market_40, options(career_facts="all"))
    table = features.build(market_40, market_40.transitions, ["tenure", "origin_spells"])
    for target, tenure, spells in zip(market_40.transitions, table["tenure"], table["origin_spells"], strict=True):
        head = text.heads.strings[text.heads.index[target]]
        assert f" after {tenure:.0f} year" in head
        assert (f", held {spells - 1:.0f} time" in head) == (spells > 1)
    assert len(set(text.heads.strings)) == len(text.heads.strings)


@pytest.mark.slow
def test_the_audit_of_models_holds_with_facts_in_the_papers_text(
    market_30: Panel, tokenizer: Any, tmp_path: Path
) -> None:
    base = saved_llm(tmp_path / "base", "Llama", tokenizer, context=2048, scale=0.3)
    spec = harness_models()[0]
    params = LlmParams(base=str(base), tuning="none", template="labor-llm", career_facts="all")
    assert [f for f in audit(spec, params, market_30, AuditSetup(open_panel=open_once)) if f.problem] == []


def test_a_fit_outlives_the_file_of_its_template(four_persons: Panel, toy_llama: Path, tmp_path: Path) -> None:
    panel, file = with_more(four_persons), tmp_path / "own.jinja"
    file.write_text(OWN)
    params = LlmParams(base=str(toy_llama), tuning="none", template=str(file))
    model = build(params)
    model.fit(panel.part("train"), panel.part("valid"), Context(seed=0, scratch=tmp_path, cache=tmp_path))
    model.save(tmp_path)
    file.unlink()
    again = build(LlmParams(**params.model_dump(mode="json")))
    again.load(tmp_path)
    ask = (panel.part("test"), np.array([1, 2]), np.array([[0, 1], [2, 3]]))
    np.testing.assert_array_equal(model.log_prob(*ask), again.log_prob(*ask))
    plain = build(LlmParams(base=str(toy_llama), tuning="none"))
    plain.load(tmp_path)
    assert np.abs(plain.log_prob(*ask) - again.log_prob(*ask)).max() > 1e-3


def test_the_text_is_the_identity_and_not_the_path(registry: Registry, four_persons: Panel, tmp_path: Path) -> None:
    def ids(name: str, text: str) -> tuple[str, str]:
        (tmp_path / name).write_text(text)
        params = LlmParams(template=str(tmp_path / name))
        run = Run(
            model=registry.model("llm-lora"), params=params, tasks=(registry.task("next_occ"),), panel=four_persons
        )
        return run.configuration(run.tasks[0]).id(), run.configuration(run.tasks[0]).fit_id()

    one, copy, other = ids("a.jinja", OWN), ids("b.jinja", OWN), ids("a.jinja", OWN.replace("from", "of"))
    assert one == copy
    assert one[0] != other[0]
    assert one[1] != other[1]
    assert in_a_line(OWN).startswith("8 lines, ")
    recipes = [recipe_of(LlmParams(template=text)) for text in ("harness", "labor-llm")]
    assert recipes[0] != recipes[1]  # a builtin base learns from the text that it is tuned on


def test_a_template_that_is_nested_too_deeply_is_told() -> None:
    deep = OWN.replace("{% block end %}", "{% block end %}{{ " + "[" * 3000 + " }}")
    with pytest.raises(RequestError, match="is nested too deeply"):
        _ = ResumeTemplate(deep).end


def test_a_number_of_too_many_digits_is_told() -> None:
    long = OWN.replace("{% block end %}", "{% block end %}{{ " + "9" * 5000 + " }}")
    with pytest.raises(RequestError, match="holds a number of too many digits"):
        _ = ResumeTemplate(long).end


def test_named_templates_stand_for_their_text() -> None:
    assert LlmParams(template="labor-llm").template == "labor-llm"
    assert ResumeTemplate.of("labor-llm") == ResumeTemplate.of(TEMPLATES["labor-llm"])
