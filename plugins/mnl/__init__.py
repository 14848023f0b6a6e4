"""mnl: logits as statsmodels estimates them, with terms that have names, and clustered standard errors.

Stage one is a Logit of staying; stage two a MNLogit of the destination's major group among those who switch; stage
three a conditional logit of the state within the group, on attributes of the pair. ``stages=one`` is a plain MNLogit
over all states instead. ``harness explain`` prints what was estimated.

mlogit: the multinomial logit of textbooks, on a formula, without a penalty.

Columns are standardised and every coefficient but the constants carries a small ridge penalty: complete separation is
common among hundreds of states, so the unpenalised optimum need not exist, and Newton's method then runs to infinity.
"""

from __future__ import annotations

from harness.hookspecs import hookimpl
from harness.model import Model, ModelSpec
from harness.plugins.mnl.params import MlogitParams, MnlParams

__all__ = ["MlogitParams", "MnlParams", "harness_models"]


def build(params: MnlParams) -> Model:
    """The model; statsmodels loads when it is fitted."""
    from harness.plugins.mnl.model import Mnl
    from harness.plugins.mnl.single_stage import OneStage

    return OneStage(params) if params.stages == "one" else Mnl(params)


def build_plain(params: MlogitParams) -> Model:
    """The plain multinomial logit; statsmodels and formulaic load when it is fitted."""
    from harness.plugins.mnl.mlogit import MultinomialLogit

    return MultinomialLogit(params)


@hookimpl
def harness_models() -> list[ModelSpec]:
    return [
        ModelSpec(
            "mnl",
            "statsmodels: Logit of staying, MNLogit of group, conditional logit within it; clustered errors",
            build,
            params=MnlParams,
            needs=("statsmodels", "threadpoolctl"),
            install="pip install 'labor-harness[mnl]'",
            cite="McFadden (1974), Conditional logit analysis of qualitative choice behavior",
            uses_weights=True,
        ),
        ModelSpec(
            "mlogit",
            "plain multinomial logit: a formula, a base outcome, no penalty; clustered errors, marginal effects",
            build_plain,
            params=MlogitParams,
            needs=("statsmodels", "formulaic", "threadpoolctl"),
            install="pip install 'labor-harness[mnl]'",
            cite="McFadden (1974), Conditional logit analysis of qualitative choice behavior",
            uses_weights=True,
        ),
    ]
