#!/usr/bin/env bash
# openai: Response.output_text joins what a model said on the way with its final answer.
#
# Seen with openai 3.57.0, Python 3.11. A message in the output of the Responses API has a phase:
# "commentary" for what the model says while it works, "final_answer" for its answer (the type's own
# words; documented for gpt-5.3-codex and later). Response.output_text, the property that examples use to
# get "the answer", goes through all messages and joins them, without a space and whatever their phase:
#   commentary   "I will rate it from 1 to 100."
#   final_answer "Rating: 62"
#   output_text  "I will rate it from 1 to 100.Rating: 62"
#
# What we expected: the final answer, where one is marked. A reader that takes the first number of
# output_text takes the scale's for the rating. Here, commentary is left out (runner/providers/_responses.py).
# Run: bash findings/openai_output_text_joins_commentary.sh
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q 'openai==3.57.0'

"$work/venv/bin/python" - <<'PY'
from importlib.metadata import version

from openai.types.responses import Response


def message(phase, text):
    part = {"type": "output_text", "text": text, "annotations": []}
    return {
        "id": f"msg_{phase}",
        "type": "message",
        "role": "assistant",
        "status": "completed",
        "phase": phase,
        "content": [part],
    }


response = Response.model_validate(
    {
        "id": "resp_1",
        "object": "response",
        "created_at": 1795960000,
        "status": "completed",
        "model": "gpt-5.4-pro-2026-03-05",
        "output": [
            message("commentary", "I will rate it from 1 to 100."),
            message("final_answer", "Rating: 62"),
        ],
        "parallel_tool_calls": False,
        "tool_choice": "none",
        "tools": [],
    }
)
print("openai", version("openai"))
for item in response.output:
    print(f"{item.phase:13}", repr(item.content[0].text))
print("output_text  ", repr(response.output_text))
assert [item.phase for item in response.output] == ["commentary", "final_answer"]
assert response.output_text == "I will rate it from 1 to 100.Rating: 62"
PY
