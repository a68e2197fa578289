"""Which names are one model's, and what is said when another one answered."""

import pytest

from runner.core.identity import OTHERS, counted, is_same, others, replaced

SAME = [
    ("gpt-4o-mini", "gpt-4o-mini"),
    ("gpt-4o-mini", "gpt-4o-mini-2024-07-18"),
    ("gpt-4o-mini-2024-07-18", "gpt-4o-mini"),
    ("GPT-4o-mini", "gpt-4o-mini-2024-07-18"),
    ("gpt-4", "gpt-4-0613"),
    ("gpt-3.5-turbo", "gpt-3.5-turbo-0125"),
    ("gpt-6-luna", "gpt-6-luna-2026-09-22"),
    ("claude-haiku-4-5", "claude-haiku-4-5-20251001"),
    ("claude-3-5-haiku-latest", "claude-3-5-haiku-20241022"),
    ("claude-haiku-4-5", "claude-haiku-4-5@20251001"),
    ("anthropic/claude-haiku-4.5", "claude-haiku-4-5-20251001"),
    ("gemini-3.1-flash-lite", "models/gemini-3.1-flash-lite"),
    ("gemini-3.1-flash-lite", "publishers/google/models/gemini-3.1-flash-lite@default"),
    ("projects/p/locations/l/publishers/google/models/gemini-2.5-pro", "gemini-2.5-pro"),
    ("gemini-2.0-flash", "gemini-2.0-flash-001@default"),
    ("gemini-2.5-flash-preview", "gemini-2.5-flash-preview-09-2025"),
    ("gemini-2.5-pro-preview", "gemini-2.5-pro-preview-05-06"),
    ("openai/gpt-oss-120b", "gpt-oss-120b"),
    ("gpt-oss-120b", "openai/gpt-oss-120b:free"),
    ("meta-llama/Llama-3.3-70B-Instruct", "meta-llama/llama-3.3-70b-instruct:nitro"),
    ("llama3.1", "llama3.1:latest"),
    ("gpt-4o-mini-2024-07-18", "gpt-4o-mini-2024-07-18-2026-01-01"),
    ("llama3.1:8b", "llama3.1:8b"),
    ("deepseek-ai/DeepSeek-V3-0324", "deepseek-ai/DeepSeek-V3-0324"),
    ("ft:gpt-4o-mini-2024-07-18:org::abc", "ft:gpt-4o-mini-2024-07-18:org::abc"),
    ("/data/models/my-7b/", "/data/models/my-7b"),
]
OTHER = [
    ("gpt-4o-mini", "gpt-4.1-mini"),
    ("gpt-4o-mini", "gpt-4o"),
    ("gpt-4o", "gpt-4o-mini-2024-07-18"),
    ("gpt-4o-2024-05-13", "gpt-4o-2024-08-06"),
    ("gpt-4", "gpt-4-turbo-2024-04-09"),
    ("gpt-5", "gpt-5.1"),
    ("gpt-6-luna", "gpt-6.1-luna"),
    ("gemini-2.5-flash", "gemini-3.5-flash-lite"),
    ("gemini-2.5-flash", "models/gemini-2.5-flash-lite"),
    ("claude-opus-4-5", "claude-opus-4-6"),
    ("claude-sonnet-5", "claude-sonnet-5-5"),
    ("llama3.1:8b", "llama3.1:70b"),
    ("openai/gpt-oss-120b", "openai/gpt-oss-20b"),
    ("ft:gpt-4o-mini-2024-07-18:org::abc", "gpt-4o-mini-2024-07-18"),
    ("text-davinci-002", "text-davinci-003"),
]


@pytest.mark.parametrize(("asked", "answered"), SAME)
def test_dates_prefixes_and_case_do_not_make_another_model(asked: str, answered: str) -> None:
    assert is_same(asked, answered)
    assert replaced(asked, {answered: 3}) is None


@pytest.mark.parametrize(("asked", "answered"), OTHER)
def test_another_family_size_or_snapshot_is_another_model(asked: str, answered: str) -> None:
    assert not is_same(asked, answered)


def test_the_sentence_counts_what_came_from_whom() -> None:
    answered = {"gpt-4o-mini-2024-07-18": 100, "gpt-4.1-mini": 12, "gpt-6-luna": 1}
    assert replaced("gpt-4o-mini", answered) == (
        "asked gpt-4o-mini, 12 answers came from gpt-4.1-mini, 1 answer came from gpt-6-luna"
    )
    assert others("gpt-4o-mini", answered) == {"gpt-4.1-mini": 12, "gpt-6-luna": 1}
    assert replaced("gpt-4o-mini", {}) is None


def test_many_names_are_kept_few_and_no_sign_of_them_moves_a_cursor() -> None:
    kept = counted({f"m{n}": n for n in range(1, 1001)} | {"a\x1b[2J" + "x" * 999: 5000})
    assert len(kept) == 17
    assert sum(kept.values()) == sum(range(1, 1001)) + 5000
    assert kept[OTHERS] > 0
    assert all(name.isprintable() and len(name) <= 120 for name in kept)
    assert counted(kept) == kept
    assert "and 14 more" in str(replaced("m", kept))
