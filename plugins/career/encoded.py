"""career-llm: CAREER that also reads what a frozen language model's hidden state says of each career."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from harness.errors import RequestError
from harness.hookspecs import hookimpl
from harness.model import Ablation, EncoderSpec, ModelSpec
from harness.model.params import validate
from harness.model.teaching import teacher_name
from harness.plugins.career.params import EncodedParams

if TYPE_CHECKING:
    from harness.model import Model, Params

ENCODER = "llm"  # the name that a plugin brings it under
ABLATIONS = (
    Ablation("at-input", "read with state and covariates", {"encoded_at": "input"}),
    Ablation("half", "half of the layers of the language model", {"layer": "0.5"}),
)


def encoder_params(spec: EncoderSpec, params: EncodedParams) -> Params:
    """The encoder's own parameters. RequestError where one is none of its."""
    given = {"base": params.base, "layer": str(params.layer)}
    for option in params.encoder_options:
        name, equals, value = option.partition("=")
        if not equals or name in given:
            right = f"set {name} itself" if name in given else "write name=value"
            raise RequestError(f"encoder_options={option}: {right}")
        given[name] = value
    return validate(spec.params, given, "encoder_options")


def build(spec: EncoderSpec, params: EncodedParams) -> Model:
    """The model; torch loads when it is fitted or loaded."""
    from harness.model.ensemble import mean_of
    from harness.plugins.career.encoded_model import EncodedCareerModel

    of = encoder_params(spec, params)
    return mean_of([EncodedCareerModel(params, spec.build(of)) for _ in range(params.members)])


@hookimpl
def harness_models(encoders: Mapping[str, EncoderSpec]) -> list[ModelSpec]:
    if ENCODER not in encoders:
        return []
    spec = encoders[ENCODER]
    return [
        ModelSpec(
            name="career-llm",
            summary="career that also reads the hidden state of a frozen language model at each record",
            build=lambda params: build(spec, params),
            params=EncodedParams,
            contents=lambda params: spec.contents(encoder_params(spec, params)),
            code=(spec.module,),
            needs=("torch", "safetensors", *spec.needs),
            install="pip install 'labor-harness[career,llm]'",
            cite=f"Vafa, Palikot, Du, Kanodia, Athey and Blei (2022), CAREER; {spec.cite}",
            scoring_params=("checkpoint_seconds",),
            teacher=teacher_name,
            uses_weights=True,
            ablations=ABLATIONS,
        )
    ]
