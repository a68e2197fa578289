#!/usr/bin/env bash
# mistralai: batch.jobs.list(metadata={...}) sends each key as a query parameter of its own.
#
# Seen with mistralai 3.7.0, Python 3.11. The filter by metadata is a dictionary "exploded" into the query,
# so that its own name, metadata, stands nowhere:
#   list(metadata={"experiment": "e1"})               ...&experiment=e1&...
#   list(metadata={"page": "7"})                      page=7&...          (and no page=0 any more)
# A server cannot tell a label from a parameter that it does not know, and many ignore those: then the list
# comes unfiltered. A label that is called as a real parameter asks for another page, model or status.
#
# What we expected: metadata=..., or metadata[experiment]=..., which a server takes or refuses. So here a
# list that was narrowed this way may find a job, and never proves that there is none
# (runner/providers/mistral.py); what Mistral's own server makes of it was not tried.
# Run: bash findings/mistralai_metadata_filter_is_loose_parameters.sh
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q 'mistralai==3.7.0'

"$work/venv/bin/python" - <<'PY'
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib.metadata import version
from urllib.parse import parse_qs, urlsplit

from mistralai.client import Mistral

asked = []


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        asked.append(urlsplit(self.path).query)
        body = b'{"object": "list", "total": 0, "data": []}'
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


server = HTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
client = Mistral(api_key="test", server_url=f"http://127.0.0.1:{server.server_port}")
client.batch.jobs.list(metadata={"experiment": "e1"})
client.batch.jobs.list(metadata={"page": "7"})
server.shutdown()

print("mistralai", version("mistralai"))
print(*asked, sep="\n")
first, second = map(parse_qs, asked)
assert first["experiment"] == ["e1"] and "metadata" not in first
assert second["page"] == ["7"]
PY
