#!/usr/bin/env bash
# google-genai: a second loop over what batches.list() returned sees the last page only, and len() and [0]
# go by the page that was read last.
#
# Seen with google-genai 2.34.0, Python 3.11, against a small server on 127.0.0.1 with five batches on
# pages of two:
#                    len(jobs)  jobs[0]  a loop sees   requests so far
#   at first          2          a        a b c d e     3
#   the same again    1          e        e             3
#
# What we expected: all five again, as with a list (it has a length and an index), or none, as with a
# generator that is used up. In fact Pager is its own iterator: a new loop goes back to the beginning of
# the page that it holds, not to the first page. So "is one of them still running?" asked after the
# batches were counted, or `next(... for job in jobs ...)` after another search, looks through one page
# and says no; who takes that for an answer sends, and pays, a batch once more. Where everything fits on
# one page, as in a test, both loops are alike. Keep list(client.batches.list()), once.
# Run: bash findings/google_genai_second_loop_sees_the_last_page.sh
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q 'google-genai==2.34.0'
"$work/venv/bin/python" - <<'PY'
import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from google import genai

NAMES = "abcde"
asked = []


class Service(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        asked.append(self.path)
        query = {name: said[0] for name, said in parse_qs(urlsplit(self.path).query).items()}
        first, size = int(query.get("pageToken", 0)), int(query["pageSize"])
        page = [
            {"name": f"batches/{name}", "metadata": {"state": "BATCH_STATE_RUNNING"}}
            for name in NAMES[first : first + size]
        ]
        fields = {"operations": page}
        if first + size < len(NAMES):
            fields["nextPageToken"] = str(first + size)
        reply = json.dumps(fields).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(reply)))
        self.end_headers()
        self.wfile.write(reply)


server = ThreadingHTTPServer(("127.0.0.1", 0), Service)
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}"
client = genai.Client(api_key="none", http_options={"base_url": url})


def short(job):
    return job.name.removeprefix("batches/")


def looked_through(jobs):
    first = len(jobs), short(jobs[0])
    return *first, "".join(short(job) for job in jobs), len(asked)


print("google-genai", genai.__version__)
jobs = client.batches.list(config={"page_size": 2})
seen = looked_through(jobs), looked_through(jobs)
for when, row in zip(("at first", "the same again"), seen, strict=True):
    print(f"{when:14}", *row)
asked.clear()
jobs = client.batches.list(config={"page_size": 100})
alike = [looked_through(jobs)[2] for _ in range(2)]
print("all on one page:", *alike)
assert seen[0] == (2, "a", "abcde", 3)
assert alike == [NAMES, NAMES]
if seen[1] != (1, "e", "e", 3):
    sys.exit("changed: a second loop sees something else than the last page")
PY
