"""From a service's own words to the row that keeps the parameter from being sent."""

import pytest

from runner.core.advice import advice

HEAT = ("sampling: rejected", "temperatures=null")
REASONING = ("reasoning: {levels: []}", "provider.reasoning=null")
SCHEMA = ("structured_output: false", "question.answer=text")
SYSTEM = ("system_role: false", "provider.system_role=false")
CASES = [
    (
        (
            "400: Unsupported value: 'temperature' does not support 0.7 with this model. Only the "
            "default (1) value is supported."
        ),
        HEAT,
    ),
    ("400: Unsupported parameter: 'temperature' is not supported with this model.", HEAT),
    ("invalid_request_error: `temperature` is deprecated for this model.", HEAT),
    ("invalid_request_error: temperature: Extra inputs are not permitted", HEAT),
    ("invalid_request_error: `temperature` may only be set to 1 when thinking is enabled.", HEAT),
    ("400: property 'temperature' is unsupported", HEAT),
    ("400: Sampling parameters are no longer supported for this model.", HEAT),
    (
        (
            "400: Unsupported value: 'reasoning_effort' does not support 'minimal' with this model. "
            "Supported values are: 'none', 'low', 'medium' and 'high'."
        ),
        REASONING,
    ),
    ("400: Unrecognized request argument supplied: reasoning_effort", REASONING),
    ("400: `reasoning_effort` must be one of `low`, `medium`, or `high`", REASONING),
    (
        (
            'invalid_request_error: "thinking.type.enabled" is not supported for this model. Use '
            '"thinking.type.adaptive" and "output_config.effort" to control thinking behavior.'
        ),
        REASONING,
    ),
    ("400: Thinking level is not supported for this model.", REASONING),
    (
        (
            "400: Invalid parameter: 'response_format' of type 'json_schema' is not supported with "
            "this model."
        ),
        SCHEMA,
    ),
    ("400: Developer instruction is not enabled for models/gemma-3-27b-it", SYSTEM),
    (
        "400: Unsupported value: 'messages[0].role' does not support 'system' with this model.",
        SYSTEM,
    ),
    (
        (
            "400: Unsupported parameter: 'max_tokens' is not supported with this model. Use "
            "'max_completion_tokens' instead."
        ),
        ("max_tokens: max_completion_tokens", "provider.max_tokens=max_completion_tokens"),
    ),
    (
        "400: property 'max_completion_tokens' is unsupported",
        ("max_tokens: max_tokens", "provider.max_tokens=max_tokens"),
    ),
]
NONE = [
    "400: Invalid 'temperature': decimal above maximum value. Expected a value <= 2, but got 3.",
    "temperature: Input should be less than or equal to 1",
    "429: Rate limit reached for requests",
    "insufficient_quota: You exceeded your current quota",
    "404: The model `gpt-x` does not exist or you do not have access to it.",
    "400: This model's maximum context length is 8192 tokens.",
    "400: Your organization does not support this request.",
    "",
]


@pytest.mark.parametrize(("refusal", "wanted"), CASES)
def test_a_refused_parameter_names_the_row_and_the_setting(refusal, wanted) -> None:
    row, setting = wanted
    assert advice("openai", "gpt-x-2027-01-01", refusal) == (
        f"add to provider/openai.yaml, first under models: - {{match: gpt-x*, {row}}}; "
        f"or run with {setting}"
    )


@pytest.mark.parametrize("refusal", NONE)
def test_what_is_no_refusal_of_a_parameter_gives_no_advice(refusal) -> None:
    assert advice("openai", "gpt-x", refusal) is None


@pytest.mark.parametrize(
    ("model", "glob"),
    [
        ("openai/gpt-oss-120b", "openai/gpt-oss-120b*"),
        ("gpt-5.6-luna", "gpt-5.6-luna*"),
        ("ft:gpt-4o-mini-2024-07-18:org::abc", '"ft:gpt-4o-mini-2024-07-18:org::abc*"'),
        ("Some-Model@20260101", "Some-Model*"),
        ("odd: [name]", '"odd: [name]*"'),
    ],
)
def test_the_row_fits_the_models_family(model: str, glob: str) -> None:
    assert f"{{match: {glob}, " in str(advice("x", model, CASES[0][0]))
