"""The claims of LABOR-LLM's abstract, and the configurations that each of them compares.

Source: Athey, Brunborg, Du, Kanodia and Vafa (2024), LABOR-LLM, arXiv 2406.17972. An arm is a configuration of a model;
a claim says that one arm gives the held-out transitions of a task a higher likelihood than others do.

Prior models are those that LABOR-LLM and CAREER (Vafa et al. 2022, arXiv 2202.08370) compare with: CAREER as it is and
pre-trained on resumes, the baselines of its paper, empirical transition frequencies, and multinomial logits. Boosted
trees are Harness's own addition. What is added is shown beside the rest and decides nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

LANGUAGE_MODEL = "llm-lora"
CITE = "Athey, Brunborg, Du, Kanodia and Vafa (2024), LABOR-LLM, arXiv 2406.17972"
BUILTIN_BASE = "base_"  # how the names of the builtin base's parameters begin


@dataclass(frozen=True)
class Arm:
    """A configuration that claims compare.

    name: for records and JSON. summary: for tables. changes: parameters and values, as --set has them, beside what was
    asked for the model. pools: trained on the further panels as well. pretrained: on resumes. added: by Harness, so
    that it decides no claim. only: the tasks that it is compared on; empty: any.
    """

    name: str
    summary: str
    model: str = LANGUAGE_MODEL
    changes: Mapping[str, str] = field(default_factory=dict, hash=False)
    pools: bool = False
    pretrained: bool = False
    added: bool = False
    only: tuple[str, ...] = ()


@dataclass(frozen=True)
class Against:
    """What a claim compares with. decides: whether the verdict depends on it."""

    arm: Arm
    decides: bool = True


@dataclass(frozen=True)
class Claim:
    """That ``ours`` gives the outcomes of ``task`` a higher likelihood than every arm of ``against`` that decides.

    text: as the abstract has it. by_size: whether the first of ``against`` must start from a larger base; the second is
    then the smaller one without what is claimed to make up for its size.
    """

    name: str
    text: str
    task: str
    ours: Arm
    against: tuple[Against, ...]
    by_size: bool = False

    def arms(self) -> tuple[Arm, ...]:
        """All that it compares, ``ours`` first."""
        return (self.ours, *(other.arm for other in self.against))


def is_of_base(parameter: str) -> bool:
    """Whether a parameter of the language model says which base it starts from, not how that is tuned."""
    return parameter in ("base", "subfolder", "pool") or parameter.startswith(BUILTIN_BASE)


TUNED = Arm("tuned", "the language model, fine-tuned")
UNTUNED = Arm("untuned", "the language model off the shelf", changes={"tuning": "none"})
SHOTS = Arm("shots", "the language model off the shelf, with examples", changes={"tuning": "none", "shots": "3"})
CODES = Arm("codes", "fine-tuned on codes in the place of titles", changes={"titles": "codes"})
POOLED = Arm("pooled", "fine-tuned on careers of another population as well", pools=True)
LARGER = Arm("larger", "a larger language model, fine-tuned")

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
        "next-occupation",
        "Fine-tuned, a language model surpasses all prior models on the next occupation",
        "next_occ",
        TUNED,
        _prior("next_occ"),
    ),
    Claim(
        "switching",
        "It surpasses them on whether the worker changes occupations",
        "switch",
        TUNED,
        _prior("switch"),
    ),
    Claim(
        "labor-force",
        "It surpasses them on whether the worker stays in the labor force",
        "lf_exit",
        TUNED,
        _prior("lf_exit"),
    ),
    Claim(
        "fine-tuning",
        "Fine-tuned, it surpasses the same model off the shelf",
        "next_occ",
        TUNED,
        (Against(UNTUNED), Against(SHOTS)),
    ),
    Claim(
        "more-data",
        "With careers of another population added, a smaller model surpasses a larger one",
        "next_occ",
        POOLED,
        (Against(LARGER), Against(TUNED, decides=False)),
        by_size=True,
    ),
    Claim(
        "words",
        "With titles in words, it surpasses the same model with a code in the place of each",
        "next_occ",
        TUNED,
        (Against(CODES),),
    ),
)


@dataclass(frozen=True)
class Further:
    """What stands for the paper's further data beside a data set, by name; ``also`` with its parameters.

    resumes: what CAREER is pre-trained on. also: careers of another population than the one that is scored.
    """

    resumes: str
    also: str
    settings: Mapping[str, str]


# Resumes of the simulated market are of another population than its survey: more college, fewer spells out of work, and
# nobody says who they are. Those of another seed are of other people than those that the builtin base has read.
FURTHER = {"market": Further("market-resumes", "market-resumes", {"persons": "2400", "seed": "2"})}
