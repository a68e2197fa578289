"""What to write into a provider's file when a service refuses a parameter of every request."""

import re
from typing import Final

from runner.core.identity import parts_of

_NOT_TAKEN: Final = re.compile(
    r"unsupported|not supported|does(?: not|n't) support|not permitted|deprecated|unrecogni[sz]ed"
    r"|not enabled|unknown (?:name|parameter|field)|may only be set|must be one of|not allowed"
    r"|no longer|cannot be (?:used|set|specified)",
    re.IGNORECASE,
)
"""How services say that they do not take something, rather than that a number is too large."""

_HEAT: Final = r"\b(?:temperature|top_p|topP|sampling)\b"
_REASONING: Final = (
    r"\b(?:reasoning[._]effort|reasoning|thinking(?:[._ ]?(?:level|budget|config|type))?"
    r"|thinkingLevel|thinkingBudget|thinkingConfig|budget_tokens|output_config\.effort|effort"
    r"|enable_thinking)\b"
)
_SCHEMA: Final = (
    r"\b(?:response_format|json_schema|responseSchema|response_schema|responseMimeType"
    r"|output_config(?:\.format)?|structured outputs?)\b"
)
_SYSTEM: Final = r"\bsystem_?(?:role|instructions?|messages?|prompts?)?\b|\bdeveloper instruction"

_ROWS: Final = (
    (_HEAT, "sampling: rejected", "temperatures=null"),
    (_REASONING, "reasoning: {levels: []}", "provider.reasoning=null"),
    (_SCHEMA, "structured_output: false", "question.answer=text"),
    (_SYSTEM, "system_role: false", "provider.system_role=false"),
)
"""What a refusal names, the row that keeps it from being sent, and the setting that does at once."""

_CAP: Final = re.compile(r"['\"`]?\bmax_(?:completion_)?tokens\b")


def advice(provider: str, model: str, refusal: str) -> str | None:
    """Turn a service's refusal of a parameter into what to do about it; None when it is none.

    Args:
        provider: whose file the row belongs into.
        model: the model asked.
        refusal: what the service said of one request.
    """
    complaint = _NOT_TAKEN.search(refusal)
    if complaint is None:
        return None
    if (cap := _CAP.search(refusal)) is not None:
        other = "max_tokens" if "completion" in cap[0] else "max_completion_tokens"
        return _said(provider, model, f"max_tokens: {other}", f"provider.max_tokens={other}")
    found = [
        (match.start(), row, setting)
        for names, row, setting in _ROWS
        if (match := re.search(names, refusal, re.IGNORECASE)) is not None
    ]
    if not found:
        return None
    _, row, setting = min(found)  # what is named first is what is complained of
    return _said(provider, model, row, setting)


def _said(provider: str, model: str, row: str, setting: str) -> str:
    family = _family_of(model)
    name = family if re.fullmatch(r"[A-Za-z0-9._/-]+", family) else f'"{family}"'
    glob = f'"{family}*"' if name.startswith('"') else f"{name}*"
    return (
        f"add to provider/{provider}.yaml, first under models: - {{match: {glob}, {row}}}; "
        f"or run with {setting}"
    )


def _family_of(model: str) -> str:
    """Return a model's name as it was written, without the snapshot."""
    family, _ = parts_of(model)
    at = model.lower().replace(".", "-").rfind(family)
    return model if at < 0 or not family else model[: at + len(family)]
