"""softmax: a ridge multinomial logit over all states, on a sparse design of what was held before and covariates.

One penalty for all shrinks the diagonal: a single regression of everybody (``staying=plain``) has a perplexity of 9.33
on the NLSY97, where P(stay) by a logit of its own and a regression of those who leave have 8.09.
"""

from __future__ import annotations

from typing import Any

from harness.hookspecs import hookimpl
from harness.model import Ablation, ModelSpec
from harness.plugins.softmax.params import SoftmaxParams


def _build(params: SoftmaxParams) -> Any:
    from harness.plugins.softmax.model import Softmax

    return Softmax(params)


@hookimpl
def harness_models() -> list[ModelSpec]:
    return [
        ModelSpec(
            "softmax",
            "ridge: Logit of staying, multinomial logit of where to over all states; groups, recall",
            _build,
            params=SoftmaxParams,
            needs=("scipy", "threadpoolctl"),
            install="pip install 'labor-harness[softmax]'",
            cite="McFadden (1974), Conditional logit analysis of qualitative choice behavior; Hoerl and Kennard (1970)",
            runtime_params=("threads",),
            uses_weights=True,
            ablations=(
                Ablation("plain-staying", "staying is an alternative like any other", {"staying": "plain"}),
                Ablation("no-recall", "nothing of states held before but the last two", {"recall": "false"}),
                Ablation("no-groups", "single states alone, no groups", {"groups": "false"}),
            ),
        )
    ]
