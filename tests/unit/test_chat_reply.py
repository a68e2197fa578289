"""A result line of OpenAI's dialect says the same in whatever envelope a service puts it."""

import json

from hypothesis import given
from hypothesis import strategies as st

from runner.providers._chat_reply import read_row

TOKENS = st.sampled_from([0, 3, 7.0, 2.5, -1, True, None, "9", 2**60])
NAMES = [
    *("cached_tokens", "prompt_cache_hit_tokens", "cache_read_input_tokens"),
    *("cache_creation_input_tokens", "cache_write_tokens", "cached_prompt_text_tokens"),
]
ODD = st.sampled_from([None, {}, [], "", False, "broken", {"message": "no", "code": 4}])
USAGE = st.dictionaries(st.sampled_from(["prompt_tokens", "completion_tokens", *NAMES]), TOKENS)
CHOICE = {"message": {"content": "Q1: 4"}, "finish_reason": "stop"}
BODY = st.fixed_dictionaries(
    {"choices": st.sampled_from([[CHOICE], [], None, "text", [None]])},
    optional={"error": ODD, "usage": USAGE, "body": ODD, "model": ODD},
)
ENVELOPE = st.fixed_dictionaries(
    {"body": BODY}, optional={"status_code": st.sampled_from([200, 429, "200"]), "error": ODD}
)
ROW = st.fixed_dictionaries({"response": ENVELOPE}, optional={"error": ODD, "choices": ODD})


@given(ROW)
def test_a_body_where_it_belongs_and_one_that_is_text_are_read_alike(row):
    row["custom_id"] = "r1"
    envelope = row["response"]
    searched = {**row, "response": {**envelope, "body": json.dumps(envelope["body"])}}
    assert read_row(row) == read_row(searched)


@given(st.sampled_from(NAMES), st.integers(1, 50))
def test_what_a_cache_had_or_took_is_counted_under_whatever_name_a_service_has_for_it(name, some):
    usage = {"prompt_tokens": 100, "completion_tokens": 1, name: some}
    row = {"custom_id": "r1", "response": {"body": {"choices": [CHOICE], "usage": usage}}}
    found = read_row(row).usage
    assert found is not None
    assert found.input_tokens == 100
    assert found.cache_read_tokens + found.cache_write_tokens == some
