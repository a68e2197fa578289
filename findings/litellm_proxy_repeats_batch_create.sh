#!/usr/bin/env bash
# LiteLLM's proxy orders a batch three times when the reply to its one order is lost.
#
# Seen with litellm 1.108.7 (proxy), Python 3.11: the upstream accepts POST /v1/batches and closes
# the connection without a reply, as a load balancer does on a restart. The client behind the proxy
# sends ONE POST /v1/batches, with its own retries off; the upstream gets THREE, each of which it
# would run and bill, and the client gets a 500. The proxy's own OpenAI client repeats what it got
# no answer to, also where repeating is not harmless. DEFAULT_MAX_RETRIES=0 in the proxy's environment
# changes nothing here (the batch route passes max_retries=None on); "max_retries": 0 in the body of
# the order, a field that OpenAI's API does not have, does: the upstream gets one.
#
# What we expected: that a gateway passes an order on once, so that a client which never repeats
# one cannot pay twice. Run: bash findings/litellm_proxy_repeats_batch_create.sh
set -euo pipefail
work=$(mktemp -d); trap 'kill $(jobs -p) 2>/dev/null || true; rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q 'litellm[proxy]==1.108.7'

cat > "$work/upstream.py" <<'PY'
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

class Upstream(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    orders = 0
    def log_message(self, *_): pass
    def do_GET(self):
        body = str(Upstream.orders).encode()
        self.send_response(200); self.send_header("content-length", str(len(body)))
        self.end_headers(); self.wfile.write(body)
    def do_POST(self):
        self.rfile.read(int(self.headers.get("content-length", 0)))
        Upstream.orders += self.path.endswith("/batches")
        self.close_connection = True  # the order is taken; its reply never comes
        self.connection.close()

ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Upstream).serve_forever()
PY

cat > "$work/order.py" <<'PY'
import json, sys, time, urllib.error, urllib.request
proxy, upstream, more = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
def call(url, body=None):
    headers = {"authorization": "Bearer sk-test", "content-type": "application/json"}
    data = None if body is None else json.dumps(body).encode()
    return urllib.request.urlopen(urllib.request.Request(url, data, headers), timeout=60).read()
for _ in range(120):
    try:
        call(f"{proxy}/v1/models"); break
    except OSError:
        time.sleep(1)
try:
    call(f"{proxy}/v1/batches", {"input_file_id": "file-1", "completion_window": "24h",
                                 "endpoint": "/v1/chat/completions"} | more)
except urllib.error.HTTPError as error:
    print("client: status", error.code, file=sys.stderr)
print(int(call(upstream)))
PY

orders() { # orders PORT MORE VARIABLE=VALUE: how many orders arrive upstream for one of the client's
    local upstream=$1 proxy=$(($1 + 1)) more=$2; shift 2
    "$work/venv/bin/python" "$work/upstream.py" "$upstream" &
    local first=$!
    printf 'model_list: []\nfiles_settings:\n  - {custom_llm_provider: openai, api_base: "http://127.0.0.1:%s/v1", api_key: test}\ngeneral_settings: {master_key: sk-test}\n' "$upstream" > "$work/$proxy.yaml"
    env "$@" OPENAI_API_KEY=test OPENAI_BASE_URL="http://127.0.0.1:$upstream/v1" \
        OPENAI_API_BASE="http://127.0.0.1:$upstream/v1" LITELLM_LOCAL_MODEL_COST_MAP=True \
        "$work/venv/bin/litellm" --config "$work/$proxy.yaml" --host 127.0.0.1 --port "$proxy" --telemetry False > "$work/$proxy.log" 2>&1 &
    local second=$!
    "$work/venv/bin/python" "$work/order.py" "http://127.0.0.1:$proxy" "http://127.0.0.1:$upstream" "$more"
    kill "$first" "$second"; wait "$first" "$second" 2>/dev/null || true
}

as_it_comes=$(orders 18311 '{}' A=1)
by_variable=$(orders 18411 '{}' DEFAULT_MAX_RETRIES=0)
by_body=$(orders 18511 '{"max_retries": 0}' A=1)
echo "orders upstream for one of the client's: $as_it_comes; with DEFAULT_MAX_RETRIES=0 $by_variable; with max_retries 0 in the body $by_body"
[ "$as_it_comes $by_variable $by_body" = "3 3 1" ] && echo "as described"
