"""How much a model reasons before it answers: one word for every provider, and what it is sent as."""

from typing import Final

from runner.core.model import JsonObject

LEVELS: Final = ("none", "minimal", "low", "medium", "high")

_CLAUDE_TOKENS: Final = {"minimal": 1024, "low": 2048, "medium": 4096, "high": 16_384}
"""What thinking may take at most; 1024 is the least that the service takes."""
_GEMINI_TOKENS: Final = {"none": 0, "minimal": 512, "low": 1024, "medium": 8192, "high": 24_576}
"""As Google itself translates the levels for models that want a number."""
_ROOM: Final = {"low": 1000, "medium": 4000, "high": 16_000}
"""Tokens that reasoning may well take, on top of the answer; a rule of thumb."""

EFFORT: Final = "effort"
BUDGET: Final = "budget"
ADAPTIVE: Final = "adaptive"
THINKING_BUDGET: Final = "thinking_budget"
THINKING_LEVEL: Final = "thinking_level"
TEMPLATE: Final = "template"
RESPONSES_EFFORT: Final = "responses_effort"
SWITCH: Final = "switch"
CONVERSE_BUDGET: Final = "converse_budget"
CONVERSE_ADAPTIVE: Final = "converse_adaptive"

WAYS: Final = (
    *(EFFORT, BUDGET, ADAPTIVE, THINKING_BUDGET, THINKING_LEVEL, TEMPLATE, RESPONSES_EFFORT),
    *(SWITCH, CONVERSE_BUDGET, CONVERSE_ADAPTIVE),
)
"""reasoning_effort of chat completions, and reasoning.effort of OpenAI's Responses API; thinking with a number of tokens, or adaptive with an effort,
of Anthropic's Messages API; thinkingBudget and thinkingLevel of Gemini; enable_thinking of a chat
template, as Qwen's; reasoning.enabled of Together; Anthropic's two in what Bedrock's Converse API
hands on to the model."""


def parameters(way: str, level: str, usual: str | None) -> JsonObject:
    """Return what a request has to say so that a model reasons this much.

    Args:
        way: one of `WAYS`.
        level: one of `LEVELS`.
        usual: what the model does when nothing is said; None when that is not known.
    """
    match way:
        case "budget" | "adaptive" if level == "none":
            return {} if usual == "none" else {"thinking": {"type": "disabled"}}
        case "budget":
            return {"thinking": {"type": "enabled", "budget_tokens": _CLAUDE_TOKENS[level]}}
        case "adaptive":
            return {"thinking": {"type": "adaptive"}, "output_config": {"effort": level}}
        case "converse_budget" | "converse_adaptive":
            inside = parameters(way.removeprefix("converse_"), level, usual)
            return {"additionalModelRequestFields": inside} if inside else {}
        case "thinking_budget":
            return _thinking({"thinkingBudget": _GEMINI_TOKENS[level]})
        case "thinking_level":
            return _thinking({"thinkingLevel": level.upper()})
        case "template":
            return {"chat_template_kwargs": {"enable_thinking": level != "none"}}
        case "responses_effort":
            return {"reasoning": {"effort": level}}
        case "switch":
            return {"reasoning": {"enabled": level != "none"}}
    return {"reasoning_effort": level}


def _thinking(config: JsonObject) -> JsonObject:
    return {"generationConfig": {"thinkingConfig": config}}


def least_cap(way: str, level: str) -> int:
    """Return the smallest cap on an answer with which a service takes a request at all."""
    return _CLAUDE_TOKENS.get(level, 0) + 1 if way in (BUDGET, CONVERSE_BUDGET) else 1


def cut_off_note(model: str, level: str | None, cap: int, answer: int) -> str | None:
    """Say that reasoning may use up the cap before the answer is written; None when it has room.

    Args:
        model: its name.
        level: how much it reasons, whether asked for or by itself.
        cap: the most tokens an answer may have, reasoning included.
        answer: the tokens that the answer itself is expected to have.
    """
    wanted = answer + _ROOM.get(level or "none", 0)
    if level not in _ROOM or cap >= wanted:
        return None
    more = -(-wanted // 1000) * 1000
    return (
        f"{model} reasons before it answers ({level}), out of the same "
        f"provider.max_output_tokens={cap}: answers may be cut off; allow more, as "
        f"provider.max_output_tokens={more}, or let it reason less with provider.reasoning=…"
    )
