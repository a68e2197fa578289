"""Why a model stopped: every dialect's word for it, and what it means for the answer."""

from functools import lru_cache
from typing import Final

STOP: Final = "stop"
LENGTH: Final = "length"
CONTENT_FILTER: Final = "content_filter"
REFUSAL: Final = "refusal"

_WORDS: Final = {
    # OpenAI and most; Anthropic (and xAI); Together, TGI and watsonx; Cohere; AI21; Bedrock's Titan.
    STOP: (
        *("stop", "end_turn", "stop_sequence", "eos", "eos_token", "complete", "endoftext"),
        *("finish", "finished", "stop_criteria_met"),
    ),
    # Gemini, Cohere and Anthropic; Responses; TGI; Mistral; Anthropic; watsonx; llama.cpp.
    LENGTH: (
        *("length", "max_tokens", "max_output_tokens", "max_completion_tokens", "max_new_tokens"),
        *("max_length", "model_length", "model_context_window_exceeded", "token_limit", "limit"),
    ),
    # OpenAI; Bedrock; Zhipu; Cohere; Gemini.
    CONTENT_FILTER: (
        *("content_filter", "content_filtered", "guardrail_intervened", "sensitive", "error_toxic"),
        *("safety", "recitation", "blocklist", "prohibited_content", "spii", "model_armor"),
        *("jailbreak", "image_safety", "image_prohibited_content", "image_recitation"),
    ),
    REFUSAL: ("refusal",),
}
_KNOWN: Final = {word: normal for normal, words in _WORDS.items() for word in words}
_PREFIXES: Final = ("finish_reason_", "finishreason.", "finish_reason.", "stop_reason_")


@lru_cache(maxsize=64)
def normal(reason: str | None) -> str | None:
    """Return stop, length, content_filter or refusal for a word of any dialect.

    A word that is not known comes back as it is, in small letters; the reader takes
    such an answer for a cut one, as with every word except those of `stop`. None stays None: unknown.
    """
    if reason is None:
        return None
    word = reason.strip().lower().replace("-", "_").replace(" ", "_")
    for prefix in _PREFIXES:
        word = word.removeprefix(prefix)
    return _KNOWN.get(word, word) or None
