"""A stand-in for `vllm`, for tests: its run-batch with the same command line, formats and log.

No model: the answers are the emulator's. It does as vLLM 0.33 does (vllm/entrypoints/launchers/
run_batch.py of its source): the whole input is read through before a model is loaded, answers are
written as it goes, in the order of the input. With `old`, as 0.32 and before: at the end. What goes
wrong is said in STAND_IN, a JSON object; every request that is begun is entered in the file that
STAND_IN_BILL names.
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


SENTENCES = (
    "Request must not be sent in stream mode",
    "Model does not support endpoint: /v1/chat/completions",
    "URL /v1/x is not a supported endpoint. Supported endpoints: /v1/chat/completions, /score.",
)
"""The three texts that 0.33 has in place of an error object."""


def main() -> int:
    faults: dict[str, Any] = json.loads(os.environ.get("STAND_IN", "{}"))
    given = arguments()
    is_old = bool(faults.get("old"))
    say(f"args: {vars(given)}")
    lines = Path(given.input_file).read_bytes().splitlines()
    if not is_old and "bad_line" in faults:
        say(
            f"ValueError: Invalid request on line {faults['bad_line']}: 1 validation error for Batch"
        )
        say("body.messages\n  Field required [type=missing]")
        return 1
    if given.model in faults.get("unknown_models", []):
        token = os.environ.get("HF_TOKEN", "")
        why = f"ValueError: \x1b[31m {token} is no token\n" if token else ""
        sys.stderr.write(NO_MODEL.format(model=given.model, why=why))
        return 1
    if faults.get("deaf"):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if faults.get("leaves_a_child"):
        subprocess.Popen(["sleep", "60"], close_fds=False)  # as a forked engine inherits all
    names = [*(given.served_model_name or [given.model]), *given.lora_modules]
    names = [name.partition("=")[0] for name in names]
    written: list[str] = []
    silent = is_old or faults.get("writes_nothing")
    with Path(os.devnull if silent else given.output_file).open("w") as output:
        for number, line in enumerate(lines):
            if number == faults.get("stops_after"):
                return stop(faults, output)
            bill(line)
            written.append(answered(json.loads(line), names, number, faults))
            output.write(written[-1])
            output.flush()
            bar(number + 1, len(lines))
            time.sleep(faults.get("seconds_each", 0))
    if is_old and not faults.get("writes_nothing"):
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
    given.add_argument("--served-model-name", nargs="+")
    given.add_argument("--enable-lora", action="store_true")
    given.add_argument("--lora-modules", nargs="+", default=[])
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


def answered(request: dict[str, Any], names: list[str], number: int, faults: dict[str, Any]) -> str:
    name, body = request["custom_id"], request["body"]
    given: dict[str, Any] = {"status_code": 200, "request_id": f"vllm-batch-{number}", "body": None}
    line = {"id": f"vllm-{number}", "custom_id": name, "response": given, "error": None}
    fault = faults.get("lines", {}).get(str(number))
    if fault == "garbage":
        return "INFO 11-25 this is no line of an output file\n"
    if body["model"] not in names:
        return failed(line, 404, f"The model `{body['model']}` does not exist.")
    if fault in ("refused", "failed"):
        code, why = (400, "too long") if fault == "refused" else (500, "out of luck")
        return failed(line, code, why)
    if isinstance(fault, int) or fault == "died":  # the text of an exception, before 0.33
        given["status_code"] = 400
        text = "EngineCore encountered an issue." if fault == "died" else SENTENCES[fault]
        return json.dumps({**line, "error": text}) + "\n"
    asked = CompatibleRows().asked(body["model"], name, body)
    reply = answer(1, asked, 0, faults.get("malformed", 0), 0)
    message = {"role": "assistant", "content": reply.content, "refusal": None}
    message["reasoning_content" if faults.get("old") else "reasoning"] = "Q1. 99"
    choice = {"index": 0, "message": message, "finish_reason": reply.finish, "stop_reason": None}
    usage = {"prompt_tokens": reply.prompt_tokens, "completion_tokens": reply.completion_tokens}
    given["body"] = {
        "id": f"chatcmpl-{number}",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": body["model"],
        "choices": [choice],
        "usage": {**usage, "total_tokens": sum(usage.values()), "prompt_tokens_details": None},
        "prompt_logprobs": None,
    }
    return json.dumps(line, ensure_ascii=False) + "\n"


def failed(line: dict[str, Any], code: int, why: str) -> str:
    """Write what vLLM calls an error response."""
    error = {"error": {"message": why, "type": "BadRequestError", "param": None, "code": code}}
    given = {**line["response"], "status_code": code}
    return json.dumps({**line, "response": given, "error": error}) + "\n"


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
