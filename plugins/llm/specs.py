"""The language models, their parameters and ablations, as the harness lists them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from harness.model import Ablation, ModelSpec
from harness.model.teaching import teacher_name
from harness.plugins.llm.params import BaseParams, LlmParams
from harness.plugins.llm.title_tokens.params import TitleTokenParams

if TYPE_CHECKING:
    from harness.model import Model


NEEDS = ("torch", "transformers", "peft", "safetensors", "tokenizers", "jinja2", "psutil")

# The paper's: what words, demographics, history, tuning and pooling are worth; and what the text says of a career.
ABLATIONS = (
    Ablation("words", "words as tokens", {"titles": "words", "extend_vocabulary": "words"}),
    Ablation("whole-titles", "titles as tokens", {"titles": "words", "extend_vocabulary": "titles"}),
    Ablation("codes", "codes in place of titles", {"titles": "codes"}),
    Ablation(
        "no-demographics", "without demographics and birth year", {"demographics": "false", "birth_year": "false"}
    ),
    Ablation("history-1", "history of 1 record", {"history": "1"}),
    Ablation("history-3", "history of 3 records", {"history": "3"}),
    Ablation("paper-text", "the paper's sentences and lines", {"template": "labor-llm"}),
    Ablation("tenure", "years in the job in the text", {"career_facts": "tenure"}),
    Ablation("facts", "years in the job and times held in the text", {"career_facts": "all"}),
    Ablation("not-tuned", "base as it is", {"tuning": "none"}),
    Ablation("shots", "base as it is, 3 shots", {"tuning": "none", "shots": "3"}),
    Ablation("loss-all", "loss on all tokens", {"loss": "all"}),
    Ablation("five", "mean of 5 tuned from different seeds", {"members": "5"}),
    Ablation("no-exchange", "no occupations exchanged", {"exchange": "0", "exchange_across": "0"}),
    Ablation("pooled", "pooled with", pools=True),
)


def build(params: LlmParams) -> Model:
    """The model, or one that knows the mass of its rows where they are renormalised."""
    from harness.model.ensemble import UnnormalizedEnsemble, mean_of
    from harness.plugins.llm.model import LoraModel, RenormalisedLoraModel

    if params.renormalise == "none":
        return mean_of([LoraModel(params) for _ in range(params.members)])
    weighed = [RenormalisedLoraModel(params) for _ in range(params.members)]
    return weighed[0] if len(weighed) == 1 else UnnormalizedEnsemble(weighed)


def contents(params: BaseParams) -> Mapping[str, str]:
    """Of the base, or of the pool that the builtin one is trained on."""
    from harness.plugins.llm.base.content import base_content

    return base_content(params)


def contents_of_titles(params: TitleTokenParams) -> Mapping[str, str]:
    """And of the sentence encoder, where there is one."""
    if not params.likeness:
        return contents(params)
    from harness.network.titles import encoder_content

    encoder = encoder_content(params.likeness)
    return {**contents(params), **({} if encoder is None else {"likeness": encoder})}


# What real words, and what is known of them, are worth to a model whose titles are tokens.
TITLE_ABLATIONS = (
    Ablation("codes", "tokens that start from codes", {"titles": "codes"}),
    Ablation("random-tokens", "tokens that start at random", {"start": "random"}),
    Ablation("random-weights", "the same architecture with random weights", {"weights": "random", "start": "random"}),
    Ablation("two-tokens", "two tokens a record", {"tokens": "2"}),
    Ablation("three-tokens", "three tokens a record", {"tokens": "3"}),
    Ablation("no-exchange", "no occupations exchanged", {"exchange": "0", "exchange_across": "0"}),
    Ablation("learned", "tenure and recall learned from tokens", {"history": "learned", "recall": "learned"}),
    Ablation("likeness", "likeness of titles by a sentence encoder", {"likeness": "builtin"}),
    Ablation("taught", "taught by gbm", {"teacher": "gbm"}),
    Ablation("layers", "CAREER's layers beside the language model", {"career_layers": "2"}),
)


def build_titles(params: TitleTokenParams) -> Model:
    """The model of titles as tokens, or the mean of several."""
    from harness.model.ensemble import mean_of
    from harness.plugins.llm.title_tokens.model import TitleTokenModel

    return mean_of([TitleTokenModel(params) for _ in range(params.members)])


def specs() -> list[ModelSpec]:
    return [
        ModelSpec(
            name="llm-lora",
            summary="language model of resume text, tuned by low-rank adapters; P(title) by the chain rule",
            build=build,
            params=LlmParams,
            contents=contents,
            needs=NEEDS,
            install="pip install 'labor-harness[llm]'",
            cite="Athey, Brunborg, Du, Kanodia and Vafa (2024), LABOR-LLM; Hu et al. (2022), LoRA",
            sums_to_one=False,
            whole_rows=False,
            scoring_params=("renormalise", "tolerance", "checkpoint_seconds"),
            runtime_params=("shard",),
            multi_panel=True,
            streaming=True,
            distributed=True,
            ablations=ABLATIONS,
        ),
        ModelSpec(
            name="llm-titles",
            summary="language model of careers whose titles and years are tokens, read by the head of CAREER",
            build=build_titles,
            params=TitleTokenParams,
            contents=contents_of_titles,
            needs=NEEDS,
            install="pip install 'labor-harness[llm]'",
            cite="Athey, Brunborg, Du, Kanodia and Vafa (2024), LABOR-LLM; Hu et al. (2022), LoRA; Vafa et al. (2022), "
            "CAREER",
            scoring_params=("checkpoint_seconds",),
            teacher=teacher_name,
            ablations=TITLE_ABLATIONS,
        ),
    ]
