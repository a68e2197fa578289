#!/usr/bin/env bash
# anthropic: messages.parse() takes the limits out of the schema that it sends, holds the answer to them,
# and where one is not kept, drops the whole message, which is paid.
#
# Seen with anthropic 2.13.0, pydantic 2.14.3, Python 3.11, against a small server on 127.0.0.1. Asked
# for is a model with a reason and `rating: int = Field(ge=1, le=100)`:
#   sent as the schema of rating  type integer, description "{maximum: 100, minimum: 1}"
#   answered                      {"reason": "…", "rating": 130}, end_turn, 300 tokens
#   messages.parse()              pydantic.ValidationError: rating, less_than_equal, input 130
#   in the error                  neither the reason, nor the message's id, usage or stop_reason
#   messages.create()             all of them, of the same reply
# An answer cut at max_tokens and a refusal end in the same error; there its text at least is in
# errors()[0]["input"], but the stop_reason that would tell the two apart is not.
#
# What we expected: that the service is held to the limits which parse() takes, or else that the message
# comes back with parsed_output=None, or hangs on the exception. In fact a limit is a wish in a
# description, and each answer outside of it is paid and lost, with what it cost. A loop that asks again
# after the error pays again. Ask with create(output_config=...), keep the message, and validate its text
# yourself (Chorus keeps each reply as it came, and reads it later).
# Run: bash findings/anthropic_parse_drops_the_paid_message.sh
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q 'anthropic==2.13.0' 'pydantic==2.14.3'
"$work/venv/bin/python" - <<'PY'
import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import anthropic
import pydantic

REASON = "The tides follow from the moon's pull, which the answer leaves out."
REPLIES = {
    "too large": (json.dumps({"reason": REASON, "rating": 130}), "end_turn"),
    "cut": (json.dumps({"reason": REASON, "rating": 62})[:60], "max_tokens"),
    "refused": ("I cannot rate this text.", "refusal"),
    "good": (json.dumps({"reason": REASON, "rating": 62}), "end_turn"),
}
asked = []


class Rating(pydantic.BaseModel):
    reason: str
    rating: int = pydantic.Field(ge=1, le=100)


class Service(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        asked.append(body)
        text, stop = REPLIES[body["messages"][0]["content"]]
        message = {
            "id": "msg_01",
            "type": "message",
            "role": "assistant",
            "model": body["model"],
            "content": [{"type": "text", "text": text}],
            "stop_reason": stop,
            "stop_sequence": None,
            "usage": {"input_tokens": 900, "output_tokens": 300},
        }
        reply = json.dumps(message).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(reply)))
        self.end_headers()
        self.wfile.write(reply)


server = ThreadingHTTPServer(("127.0.0.1", 0), Service)
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}"
client = anthropic.Anthropic(api_key="none", base_url=url)


def question(which):
    said = [{"role": "user", "content": which}]
    return {"model": "claude-sonnet-5-5", "max_tokens": 300, "messages": said}


print("anthropic", anthropic.__version__, "pydantic", pydantic.VERSION)
good = client.messages.parse(**question("good"), output_format=Rating)
assert good.parsed_output == Rating(reason=REASON, rating=62)
config = asked[0]["output_config"]
sent = config["format"]["schema"]["properties"]["rating"]
print("sent      ", sent)
lost = {}
for which in ("too large", "cut", "refused"):
    try:
        message = client.messages.parse(**question(which), output_format=Rating)
        print(f"{which:10}", message.stop_reason, message.parsed_output)
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        holds = str((error, error.errors(), vars(error), error.__cause__, error.__context__))
        sought = {"reason": REASON, "id": "msg_01", "tokens": "300", "stop": REPLIES[which][1]}
        lost[which] = [name for name, words in sought.items() if words not in holds]
        print(f"{which:10}", first["type"], repr(first["input"]), "not in the error:", *lost[which])
whole = client.messages.create(**question("too large"), output_config=config)
print("create()  ", whole.id, whole.stop_reason, whole.usage.output_tokens, whole.content[0].text)
if "maximum" in sent or "minimum" in sent:
    sys.exit("changed: the limits are sent as limits")
if lost.get("too large") != ["reason", "id", "tokens", "stop"]:
    sys.exit("changed: what was paid for is in the error, or none is raised")
if not {"id", "tokens", "stop"} <= {*lost.get("cut", ())} & {*lost.get("refused", ())}:
    sys.exit("changed: a cut answer or a refusal comes back in another way")
if len(asked) != 5 or json.loads(whole.content[0].text)["rating"] != 130:
    sys.exit("changed: other requests, or another reply to create()")
PY
