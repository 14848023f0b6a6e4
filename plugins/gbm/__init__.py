"""gbm: gradient-boosted trees in three steps: stay or leave, destination group, state within the group.

Staying is a binary classifier. Destinations are a conditional logit whose utilities are boosted trees: every
alternative is described by columns of its own (how often people of this context go there, years spent there before,
...), one ensemble prices them all, and a softmax over the alternatives makes them probabilities. Trees therefore learn
once, for all alternatives, what it means to have been there before. Each step starts from smoothed frequencies and
stops when the validation split no longer gains.

gbm-switch and gbm-lf-exit are the same trees fitted straight on the event of one task, on those at risk of it.

What is split how was chosen on the validation split of the NLSY97; the figures are nats a transition of the step,
means over the number of seeds in brackets, and one seed differs from the next by some .0003 in staying and .002
elsewhere. Sets of levels and of major groups, in place of their order, gain .0001 in staying [9] and .0017 in the
group [4]; sets of states lose .004 in the step within the group [1], so that states are split in the order of the
code list. P(stay) held to rise with tenure gains another .0004 [9]. Scores of destinations held to go with the
records spent there, their flow and the years since lose nothing certain in the group (.0005) and .0027 within it [3],
so that this is off; held to rise with affinities as well they lose .02 in the group [1]: what a column says beside
forty others need not have its own sign.
"""

from __future__ import annotations

from harness.hookspecs import hookimpl
from harness.model import Model, ModelSpec, OutcomeModel
from harness.model.events import LEAVING_LABOR_FORCE, LEAVING_STATE
from harness.plugins.gbm.params import GbmParams, TreeParams
from harness.plugins.gbm.question import Question

CITE = "Ke et al. (2017), LightGBM"
INSTALL = "pip install 'labor-harness[gbm]'"
# A long spell is the likelier to last: in a leaf with few transitions trees would say otherwise by chance.
SWITCH = Question("switch", "leaving the state", LEAVING_STATE, {"tenure": -1})
LF_EXIT = Question("lf_exit", "leaving the labor force", LEAVING_LABOR_FORCE, {"tenure": -1})


def _build(params: GbmParams) -> Model:
    from harness.plugins.gbm.model import gbm

    return gbm(params)


def _build_event(params: TreeParams, question: Question) -> OutcomeModel:
    from harness.plugins.gbm.event import gbm_event

    return gbm_event(params, question)


@hookimpl
def harness_models() -> list[ModelSpec]:
    return [
        ModelSpec(
            "gbm",
            "LightGBM: staying, then a boosted conditional logit of group and state",
            _build,
            params=GbmParams,
            needs=("lightgbm",),
            install=INSTALL,
            cite=f"{CITE}; the softmax over alternatives is McFadden's (1974) conditional logit",
            runtime_params=("threads",),
            uses_weights=True,
        ),
        *(_direct(question) for question in (SWITCH, LF_EXIT)),
    ]


def _direct(question: Question) -> ModelSpec:
    return ModelSpec(
        f"gbm-{question.task.replace('_', '-')}",
        f"LightGBM fitted straight on one event: {question.event}",
        lambda params: _build_event(params, question),
        params=TreeParams,
        needs=("lightgbm",),
        install=INSTALL,
        cite=CITE,
        first_records=False,
        only_task=question.task,
        runtime_params=("threads",),
        uses_weights=True,
    )
