"""A stand-in for `vllm`, for tests: its run-batch with the same command line, formats and log.

No model: the answers are the emulator's. It writes them at the end, as vLLM does up to this day, or
as it goes (`streams`), as a change under review there does. What goes wrong is said in STAND_IN,
a JSON object; every request that is begun is entered in the file that STAND_IN_BILL names.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, TextIO

from runner.emulator.answers import answer
from runner.emulator.openai_rows import CompatibleRows

NO_MODEL = """Traceback (most recent call last):
  File "vllm/transformers_utils/repo_utils.py", line 300, in file_or_path_exists
OSError: {model} is not a local folder and is not a valid model identifier
{why}If this is a private repository, make sure to pass a token.
"""


def main() -> int:
    faults: dict[str, Any] = json.loads(os.environ.get("STAND_IN", "{}"))
    given = arguments()
    say(f"args: {vars(given)}")
    if given.model in faults.get("unknown_models", []):
        token = os.environ.get("HF_TOKEN", "")
        why = f"ValueError: \x1b[31m {token} is no token\n" if token else ""
        sys.stderr.write(NO_MODEL.format(model=given.model, why=why))
        return 1
    if faults.get("deaf"):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if faults.get("leaves_a_child"):
        subprocess.Popen(["sleep", "60"], close_fds=False)  # as a forked engine inherits all
    lines = Path(given.input_file).read_bytes().splitlines()
    streams = bool(faults.get("streams"))
    written: list[str] = []
    with Path(given.output_file).open("w") if streams else Path(os.devnull).open("w") as output:
        for number, line in enumerate(lines):
            if number == faults.get("stops_after"):
                return stop(faults, output)
            bill(line)
            written.append(answered(json.loads(line), given.model, number, faults))
            output.write(written[-1])
            output.flush()
            bar(number + 1, len(lines))
            time.sleep(faults.get("seconds_each", 0))
    if not streams and not faults.get("writes_nothing"):
        Path(given.output_file).write_text("".join(written))
    return int(faults.get("exit", 0))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser("vllm")
    given = parser.add_subparsers(required=True).add_parser("run-batch")
    given.add_argument("-i", "--input-file", required=True)
    given.add_argument("-o", "--output-file", required=True)
    given.add_argument("--model", required=True)
    given.add_argument("--max-model-len", type=int)
    given.add_argument("--trust-remote-code", action="store_true")
    return parser.parse_args()


def stop(faults: dict[str, Any], output: TextIO) -> int:
    """End half-way, in the middle of a line."""
    output.write('{"id":"vllm-torn","custom_id":"p1')
    output.flush()
    match faults["how"]:
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "hang":
            while True:
                time.sleep(60)
    say("RuntimeError: CUDA error: an illegal memory access was encountered")
    return 1


def answered(request: dict[str, Any], model: str, number: int, faults: dict[str, Any]) -> str:
    name, body = request["custom_id"], request["body"]
    given: dict[str, Any] = {"status_code": 200, "request_id": f"vllm-batch-{number}", "body": None}
    line = {"id": f"vllm-{number}", "custom_id": name, "response": given, "error": None}
    fault = faults.get("lines", {}).get(str(number))
    if fault == "garbage":
        return "INFO 11-25 this is no line of an output file\n"
    if fault == "refused" or body["model"] != model:
        error = {"message": "too long", "type": "BadRequestError", "param": None, "code": 400}
        return (
            json.dumps(
                {**line, "response": {**given, "status_code": 400}, "error": {"error": error}}
            )
            + "\n"
        )
    if fault == "died":
        given["status_code"] = 400
        return json.dumps({**line, "error": "EngineCore encountered an issue."}) + "\n"
    asked = CompatibleRows().asked(model, name, body)
    reply = answer(1, asked, 0, faults.get("malformed", 0), 0)
    message = {"role": "assistant", "content": reply.content, "refusal": None, "tool_calls": []}
    choice = {"index": 0, "message": message, "finish_reason": reply.finish, "stop_reason": None}
    usage = {"prompt_tokens": reply.prompt_tokens, "completion_tokens": reply.completion_tokens}
    given["body"] = {
        "id": f"chatcmpl-{number}",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": model,
        "choices": [choice],
        "usage": {**usage, "total_tokens": sum(usage.values()), "prompt_tokens_details": None},
        "prompt_logprobs": None,
    }
    return json.dumps(line, ensure_ascii=False) + "\n"


def bill(line: bytes) -> None:
    if path := os.environ.get("STAND_IN_BILL"):
        with Path(path).open("a") as ledger:
            ledger.write(json.loads(line)["custom_id"] + "\n")


def bar(done: int, total: int) -> None:
    say(
        f"Running batch: {100 * done // total:3d}% Completed | {done}/{total} [00:01<00:00, 9.9req/s]"
    )


def say(what: str) -> None:
    sys.stderr.write(what + "\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
