"""llm-embed: a ridge multinomial logit of what a frozen language model's hidden state says of a career."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.hookspecs import hookimpl
from harness.model import Ablation, EncoderSpec, ModelSpec
from harness.plugins.llm.embedding.params import EmbedParams, EncoderParams
from harness.plugins.llm.specs import NEEDS, contents

if TYPE_CHECKING:
    from harness.model import CareerEncoder, Model

ABLATIONS = (
    Ablation("no-origin", "the hidden state alone", {"with_origin": "false"}),
    Ablation("plain-staying", "staying is an alternative like any other", {"staying": "plain"}),
    Ablation("half", "half of the layers", {"layers": "0.5"}),
    Ablation("three-quarters", "three quarters of them", {"layers": "0.75"}),
    Ablation(
        "no-demographics", "without demographics and birth year", {"demographics": "false", "birth_year": "false"}
    ),
)


def build(params: EmbedParams) -> Model:
    """The model; torch loads when it is fitted or loaded."""
    from harness.plugins.llm.embedding.model import EmbedModel

    return EmbedModel(params)


def build_encoder(params: EncoderParams) -> CareerEncoder:
    """The encoder; torch loads when it is opened or loaded."""
    from harness.plugins.llm.embedding.encoder import LanguageModelEncoder

    return LanguageModelEncoder(params)


@hookimpl
def harness_career_encoders() -> list[EncoderSpec]:
    return [
        EncoderSpec(
            name="llm",
            summary="hidden state of a frozen language model that reads the resume",
            build=build_encoder,
            params=EncoderParams,
            contents=contents,
            module=__name__,
            needs=NEEDS,
            install="pip install 'labor-harness[llm]'",
            cite="Athey, Brunborg, Du, Kanodia and Vafa (2024), LABOR-LLM",
        )
    ]


@hookimpl
def harness_models() -> list[ModelSpec]:
    return [
        ModelSpec(
            name="llm-embed",
            summary="ridge multinomial logit of a frozen language model's hidden state at each record, and the origin",
            build=build,
            params=EmbedParams,
            contents=contents,
            needs=(*NEEDS, "scipy", "threadpoolctl"),
            install="pip install 'labor-harness[llm,softmax]'",
            cite="Athey, Brunborg, Du, Kanodia and Vafa (2024), LABOR-LLM: embeddings as features of a multinomial "
            "logit; Hoerl and Kennard (1970)",
            runtime_params=("threads",),
            uses_weights=True,
            ablations=ABLATIONS,
        )
    ]
