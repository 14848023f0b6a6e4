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
TOKEN_MODEL = "llm-titles"
CITE = "Athey, Brunborg, Du, Kanodia and Vafa (2024), LABOR-LLM, arXiv 2406.17972"
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


def _against_others(ours: Arm) -> tuple[Claim, ...]:
    """The claims that hold a model against those of other kinds, one a task."""
    return (
        Claim(
            name="next-occupation",
            text="Fine-tuned, a language model surpasses all prior models on the next occupation",
            task="next_occ",
            ours=ours,
            against=_prior("next_occ"),
        ),
        Claim(
            name="switching",
            text="It surpasses them on whether the worker changes occupations",
            task="switch",
            ours=ours,
            against=_prior("switch"),
        ),
        Claim(
            name="labor-force",
            text="It surpasses them on whether the worker stays in the labor force",
            task="lf_exit",
            ours=ours,
            against=_prior("lf_exit"),
        ),
    )


def _words(ours: Arm, codes: Arm) -> Claim:
    return Claim(
        name="words",
        text="With titles in words, it surpasses the same model with a code in the place of each",
        task="next_occ",
        ours=ours,
        against=(Against(codes),),
    )


CLAIMS = (
    *_against_others(TUNED),
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
    _words(TUNED, CODES),
)

# With titles as tokens a base off the shelf says nothing, since it has never seen them: the claims on it are left out,
# and one is added, that the base's weights are worth something.
TOKENS_TUNED = Arm("tuned", "the language model, fine-tuned", TOKEN_MODEL)
TOKENS_CODES = Arm("codes", "tokens that start from codes in the place of titles", TOKEN_MODEL, {"titles": "codes"})
TOKENS_RANDOM = Arm(
    "random", "the same architecture with random weights", TOKEN_MODEL, {"weights": "random", "start": "random"}
)
TOKENS_CLAIMS = (
    *_against_others(TOKENS_TUNED),
    _words(TOKENS_TUNED, TOKENS_CODES),
    Claim(
        name="pre-training",
        text="Added to the paper's: from the base's weights, it surpasses the same model from random ones",
        task="next_occ",
        ours=TOKENS_TUNED,
        against=(Against(TOKENS_RANDOM),),
    ),
)


def enlarge(parameters: Mapping[str, Any]) -> Mapping[str, str]:
    """More layers of the builtin base. RequestError where the model starts from another."""
    layers = parameters.get(f"{BUILTIN_BASE}layers")
    if parameters.get("base") != "builtin" or not isinstance(layers, int):
        raise RequestError("no larger base is named; --larger base=FOLDER_OR_HUB_NAME does")
    return {f"{BUILTIN_BASE}layers": str(ceil(BUILTIN_LARGER * layers))}


# Resumes of the simulated market are of another population than its survey: more college, fewer spells out of work, and
# nobody says who they are. Those of another seed are of other people than those that the builtin base has read.
FURTHER = {"market": FurtherData("market-resumes", "market-resumes", {"persons": "2400", "seed": "2"})}

LABOR_LLM = Paper(
    name="labor-llm",
    title="LABOR-LLM",
    cite=CITE,
    model=LANGUAGE_MODEL,
    claims=CLAIMS,
    reference=TUNED,
    variants=(UNTUNED, SHOTS, CODES),
    prior=PRIOR,
    is_of_base=is_of_base,
    pooled=POOLED,
    larger=LARGER,
    enlarge=enlarge,
    further=FURTHER,
)

LABOR_LLM_TOKENS = Paper(
    name="labor-llm-tokens",
    title="LABOR-LLM with titles as tokens",
    cite=CITE,
    model=TOKEN_MODEL,
    claims=TOKENS_CLAIMS,
    reference=TOKENS_TUNED,
    variants=(TOKENS_CODES, TOKENS_RANDOM),
    prior=PRIOR,
    is_of_base=is_of_base,
    further=FURTHER,
    file="claims-tokens",
)


@hookimpl
def harness_papers() -> list[Paper]:
    return [LABOR_LLM, LABOR_LLM_TOKENS]
