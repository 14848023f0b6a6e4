"""The claims of LABOR-LLM's abstract, and the configurations that each of them compares.

Source: Athey, Brunborg, Du, Kanodia and Vafa (2024), LABOR-LLM, arXiv 2406.17972. Prior models are those that LABOR-LLM
and CAREER (Vafa et al. 2022, arXiv 2202.08370) compare with: CAREER as it is and pre-trained on resumes, the baselines
of its paper, empirical transition frequencies, and multinomial logits. Boosted trees are Harness's own addition; an
addition is shown beside the rest and decides nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil
from typing import Any

from harness.errors import RequestError
from harness.hookspecs import hookimpl
from harness.model.paper import Against, Arm, Claim, FurtherData, Paper

LANGUAGE_MODEL = "llm-lora"
BUILTIN_BASE = "base_"  # how the names of the builtin base's parameters begin
BUILTIN_LARGER = 1.5  # times as many layers: a third more parameters, and all of it in twenty minutes on two cores


def is_of_base(parameter: str) -> bool:
    """True of a parameter that says which base the model starts from, and not how that is tuned."""
    return parameter in ("base", "subfolder", "pool") or parameter.startswith(BUILTIN_BASE)


TUNED = Arm("tuned", "the language model, fine-tuned", LANGUAGE_MODEL)
UNTUNED = Arm("untuned", "the language model off the shelf", LANGUAGE_MODEL, changes={"tuning": "none"})
SHOTS = Arm(
    "shots",
    "the language model off the shelf, with examples",
    LANGUAGE_MODEL,
    changes={"tuning": "none", "shots": "3"},
    free=("shots",),
)
CODES = Arm("codes", "fine-tuned on codes in the place of titles", LANGUAGE_MODEL, changes={"titles": "codes"})
POOLED = Arm("pooled", "fine-tuned on careers of another population as well", LANGUAGE_MODEL, pools=True)
LARGER = Arm("larger", "a larger language model, fine-tuned", LANGUAGE_MODEL)

PRIOR = (
    Arm("markov", "empirical transition frequencies", "markov"),
    Arm("mnl", "staged multinomial logit", "mnl"),
    Arm("softmax", "one multinomial logit over all states", "softmax"),
    Arm("markov-regression", "CAREER's regression baseline", "markov-regression"),
    Arm("bag-of-jobs", "CAREER's linear baseline", "bag-of-jobs"),
    Arm("nemo", "CAREER's LSTM baseline", "nemo"),
    Arm("career", "CAREER", "career"),
    Arm("career-pretrained", "CAREER, pre-trained on resumes", "career", pretrained=True),
    Arm("gbm", "boosted trees", "gbm", added=True),
    Arm("gbm-switch", "boosted trees fitted on the event", "gbm-switch", added=True, only=("switch",)),
    Arm("gbm-lf-exit", "boosted trees fitted on the event", "gbm-lf-exit", added=True, only=("lf_exit",)),
)


def _prior(task: str) -> tuple[Against, ...]:
    return tuple(Against(arm, not arm.added) for arm in PRIOR if not arm.only or task in arm.only)


CLAIMS = (
    Claim(
        name="next-occupation",
        text="Fine-tuned, a language model surpasses all prior models on the next occupation",
        task="next_occ",
        ours=TUNED,
        against=_prior("next_occ"),
    ),
    Claim(
        name="switching",
        text="It surpasses them on whether the worker changes occupations",
        task="switch",
        ours=TUNED,
        against=_prior("switch"),
    ),
    Claim(
        name="labor-force",
        text="It surpasses them on whether the worker stays in the labor force",
        task="lf_exit",
        ours=TUNED,
        against=_prior("lf_exit"),
    ),
    Claim(
        name="fine-tuning",
        text="Fine-tuned, it surpasses the same model off the shelf",
        task="next_occ",
        ours=TUNED,
        against=(Against(UNTUNED), Against(SHOTS)),
    ),
    Claim(
        name="more-data",
        text="With careers of another population added, a smaller model surpasses a larger one",
        task="next_occ",
        ours=POOLED,
        against=(Against(LARGER), Against(TUNED, decides=False)),
        by_size=True,
    ),
    Claim(
        name="words",
        text="With titles in words, it surpasses the same model with a code in the place of each",
        task="next_occ",
        ours=TUNED,
        against=(Against(CODES),),
    ),
)


def enlarge(parameters: Mapping[str, Any]) -> Mapping[str, str]:
    """More layers of the builtin base. RequestError where the model starts from another."""
    layers = parameters.get(f"{BUILTIN_BASE}layers")
    if parameters.get("base") != "builtin" or not isinstance(layers, int):
        raise RequestError("no larger base is named; --larger base=FOLDER_OR_HUB_NAME does")
    return {f"{BUILTIN_BASE}layers": str(ceil(BUILTIN_LARGER * layers))}


LABOR_LLM = Paper(
    name="labor-llm",
    title="LABOR-LLM",
    cite="Athey, Brunborg, Du, Kanodia and Vafa (2024), LABOR-LLM, arXiv 2406.17972",
    model=LANGUAGE_MODEL,
    claims=CLAIMS,
    reference=TUNED,
    variants=(UNTUNED, SHOTS, CODES),
    pooled=POOLED,
    larger=LARGER,
    prior=PRIOR,
    is_of_base=is_of_base,
    enlarge=enlarge,
    # Resumes of the simulated market are of another population than its survey: more college, fewer spells out of work,
    # and nobody says who they are. Those of another seed are of other people than those that the builtin base has read.
    further={"market": FurtherData("market-resumes", "market-resumes", {"persons": "2400", "seed": "2"})},
)


@hookimpl
def harness_papers() -> list[Paper]:
    return [LABOR_LLM]
