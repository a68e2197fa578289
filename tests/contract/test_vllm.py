"""Open models on one's own GPUs, with a stand-in for vLLM: real processes, real kills.

What the stand-in does was read in the source of vLLM 0.33.0; `old` is what 0.32 and before do.
"""

import io
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import chdir
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from runner.__main__ import main
from runner.core.errors import (
    ConfigError,
    ProviderRefused,
    ProviderReplyUnreadable,
    ProviderSilent,
)
from runner.core.model import Batch, Model, Progress, RemoteId, Reply
from runner.providers import _vllm_job as job
from runner.providers._vllm_options import SlurmOptions, VllmOptions
from runner.providers.base import Service, key_from
from runner.providers.vllm import VllmBatch
from tests.contract.case import batch_of, until_ended, write_requests
from tests.contract.kits.base import taken_of
from tests.contract.vllm.stand_in_vllm import SENTENCES
from tests.unit.composing import composed
from tests.variants import first

ROOT = Path(__file__).resolve().parents[2]
STAND_INS = Path(__file__).parent / "vllm"
MODEL = Model(
    provider="vllm",
    name="a/model",
    system_role=True,
    temperature_min=Decimal(0),
    temperature_max=Decimal(2),
    max_output_tokens=1500,
    max_tokens_name="max_tokens",
    expected_output_tokens=450,
)
PATIENCE = 20


class Machine:
    """A machine with a stand-in for vLLM, and one run's folder."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder / "run"
        (self.folder / "requests").mkdir(parents=True)
        self.programs = folder / "bin"
        self.programs.mkdir()
        self.bill = folder / "bill"
        self.bill.touch()
        self._monkeypatch = monkeypatch
        self.install("vllm", "stand_in_vllm.py")
        monkeypatch.setenv("CHORUS_VLLM", str(self.programs / "vllm"))
        monkeypatch.setenv("STAND_IN_BILL", str(self.bill))
        monkeypatch.setenv("PYTHONPATH", str(ROOT))
        self.launcher = "process"

    def install(self, name: str, stand_in: str) -> None:
        called = "" if name == "vllm" else f" {name}"
        script = self.programs / name
        script.write_text(f'#!/bin/sh\nexec {sys.executable} {STAND_INS / stand_in}{called} "$@"\n')
        script.chmod(0o755)

    def does(self, **faults: Any) -> None:
        self._monkeypatch.setenv("STAND_IN", json.dumps(faults))

    def client(self, *, timeout: float = 20, model: Model = MODEL) -> VllmBatch:
        service = Service(
            base_url="",
            key_variable="HF_TOKEN",
            key=key_from("HF_TOKEN"),
            timeout_seconds=timeout,
            options=VllmOptions(
                launcher=self.launcher,
                slurm=SlurmOptions(timeout_min=5, partition="gpu"),
            ),
            folder=self.folder,
        )
        return VllmBatch(service, model)

    def batch(self, count: int = 6) -> Batch:
        path = write_requests(self.client(), self.folder / "requests", count)
        return batch_of(path.rename(self.path), {})

    @property
    def path(self) -> Path:
        return self.folder / "requests" / "b0001.jsonl"

    def submit(self, batch: Batch, **how: Any) -> RemoteId:
        return self.client(**how).submit(batch, self.path, {"batch": "b0001-1"})

    def find(self, batch: Batch) -> RemoteId | None:
        return taken_of(self.client().find(batch, self.path, ()))

    def order(self, name: str = "b0001-1") -> Path:
        return self.folder / "vllm" / name

    def ended(self, remote: RemoteId) -> Progress:
        return until_ended(self.client(), remote)

    def collected(self, progress: Progress) -> list[Reply]:
        sink = io.BytesIO()
        for file_id in progress.files.values():
            self.client().download(file_id, sink)
        assert not sink.getvalue() or sink.getvalue().endswith(b"\n")
        return [self.client().decode(line) for line in sink.getvalue().splitlines()]

    def runs(self) -> Counter[str]:
        """How often each request was really begun."""
        return Counter(self.bill.read_text().split())

    def keeper(self) -> int:
        owner = job.read(self.order() / job.CLAIM)
        assert owner is not None
        return int(owner["pid"])

    def clear(self) -> None:
        """Leave nothing behind that a test has started."""
        for claim in self.folder.glob("vllm/*/claim.json"):
            owner = json.loads(claim.read_text())
            if owner["kind"] == "job" and job.is_held(claim.parent):
                os.killpg(owner["pid"], signal.SIGKILL)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    made = Machine(tmp_path, monkeypatch)
    yield made
    made.clear()


def eventually(look: Callable[[], Any], what: str = "what was waited for") -> Any:
    deadline = time.monotonic() + PATIENCE
    while not (found := look()):
        assert time.monotonic() < deadline, f"{what} did not come"
        time.sleep(0.02)
    return found


# -- All is well


@pytest.mark.parametrize("old", [False, True])
def test_a_batch_is_run_once_and_every_answer_comes_back(machine: Machine, old: bool) -> None:
    machine.does(old=old)
    batch = machine.batch(6)
    remote = machine.submit(batch)
    progress = machine.ended(remote)
    replies = machine.collected(progress)
    assert (progress.state, progress.event, progress.rest) == ("completed", "end", "missing")
    assert {reply.custom_id for reply in replies} == set(machine.runs()) == _ids(6)
    assert set(machine.runs().values()) == {1}
    assert {reply.model for reply in replies} == {"a/model"}
    assert all(reply.text and reply.usage.output_tokens for reply in replies)
    assert not any("Q1. 99" in reply.text for reply in replies)  # what it thought is no answer


def _ids(count: int) -> set[str]:
    return {f"p1_t1-{n}" for n in range(count)}


def test_progress_is_what_vllms_own_bar_says(machine: Machine) -> None:
    machine.does(stops_after=2, how="hang")
    remote = machine.submit(machine.batch(6))
    seen = eventually(lambda: (p := machine.client().poll(remote)).completed == 2 and p)
    assert (seen.state, seen.event, seen.total) == ("running", "progress", 6)


def test_the_command_is_the_documented_one_with_the_users_arguments_behind_it(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHORUS_VLLM", f"{machine.programs / 'vllm'} --trust-remote-code")
    told = replace(MODEL, arguments=("--max-model-len", "8192"))
    machine.ended(machine.submit(machine.batch(), model=told))
    record = job.read(machine.order() / job.JOB)
    assert record is not None
    output = machine.order() / "output.jsonl"
    assert record["command"] == [
        *(str(machine.programs / "vllm"), "run-batch", "-i", str(machine.path)),
        *(
            "-o",
            str(output),
            "--model",
            "a/model",
            "--trust-remote-code",
            "--max-model-len",
            "8192",
        ),
    ]


def test_lines_of_what_went_wrong_are_told_apart(machine: Machine) -> None:
    machine.does(lines={"0": "refused", "1": "died", "3": 0, "4": 1, "5": 2, "6": "failed"})
    replies = machine.collected(machine.ended(machine.submit(machine.batch(7))))
    said = [(str(reply.kind), reply.error) for reply in replies]
    assert said == [
        ("refused", "400: too long"),
        ("errored", "400: EngineCore encountered an issue."),
        ("answer", None),
        *(("refused", f"400: {sentence}") for sentence in SENTENCES),
        ("errored", "500: out of luck"),
    ]


@pytest.mark.parametrize("served", ["--lora-modules lit=/adapter", "--served-model-name lit"])
def test_a_lora_and_a_served_name_are_asked_for_by_name(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, served: str
) -> None:
    """What the environment says stands behind our --model, and counts."""
    more = f"--model a/base --enable-lora {served}"
    monkeypatch.setenv("CHORUS_VLLM", f"{machine.programs / 'vllm'} {more}")
    lora = replace(MODEL, name="lit")
    path = write_requests(machine.client(model=lora), machine.folder / "requests", 2)
    batch = batch_of(path.rename(machine.path), {})
    replies = machine.collected(machine.ended(machine.submit(batch, model=lora)))
    assert [(str(reply.kind), reply.model) for reply in replies] == [("answer", "lit")] * 2


def test_a_line_that_is_no_request_ends_it_before_a_model_is_loaded(machine: Machine) -> None:
    machine.does(bad_line=3, unknown_models=["a/model"])
    progress = machine.ended(machine.submit(machine.batch()))
    assert progress.event == "refused"
    assert progress.message is not None
    assert progress.message.startswith("exit 1: ValueError: Invalid request on line 3: ")
    assert machine.runs() == Counter()


@pytest.mark.parametrize(
    "line",
    [
        b'{"response": {"status_code": 400, "body": null}, "error": "x"}',
        b'{"custom_id": 1, "response": {"body": null}, "error": {}}',
        b"INFO 11-25 this is no line of an output file",
    ],
)
def test_a_line_that_says_nothing_of_a_request_is_unreadable(machine: Machine, line: bytes) -> None:
    with pytest.raises(ProviderReplyUnreadable):
        machine.client().decode(line)


# -- Whoever dies


KILLED = """
import os, signal, sys, threading, time
from tests.contract.test_vllm import *
machine = Machine.__new__(Machine)
machine.folder, machine.launcher = Path({folder!r}), {launcher!r}
threading.Timer({seconds}, lambda: os.kill(os.getpid(), signal.SIGKILL)).start()
machine.submit(batch_of(machine.path, {{}}))
os.kill(os.getpid(), signal.SIGKILL)
"""


def submit_and_die(machine: Machine, seconds: float) -> None:
    """Order in another process, which is killed so long after the beginning, or at the end."""
    code = KILLED.format(folder=str(machine.folder), launcher=machine.launcher, seconds=seconds)
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False, timeout=60)
    assert done.returncode == -signal.SIGKILL


def settled(machine: Machine, batch: Batch) -> RemoteId | None:
    """Clear up a doubt as the engine does: look, fence, look."""
    found = machine.find(batch)
    if found is None:
        machine.client().fence(batch)
        found = machine.find(batch)
    return found


def test_a_killed_runner_leaves_a_batch_that_goes_on_and_is_found_again(machine: Machine) -> None:
    machine.does(seconds_each=0.1)
    batch = machine.batch(6)
    submit_and_die(machine, 30)
    remote = settled(machine, batch)
    assert remote == "b0001-1"
    assert len(machine.collected(machine.ended(remote))) == 6
    assert set(machine.runs().values()) == {1}


@pytest.mark.long
@pytest.mark.parametrize("seconds", first(3, [0.0, 0.02, 0.05, 0.08, 0.12, 0.2]))
def test_a_runner_killed_while_it_orders_never_runs_a_batch_twice(
    machine: Machine, seconds: float
) -> None:
    batch = machine.batch(3)
    submit_and_die(machine, seconds)
    remote = settled(machine, batch)
    if remote is None:
        remote = machine.submit(replace(batch, send=2))
    assert len(machine.collected(machine.ended(remote))) == 3
    time.sleep(0.3)  # a start that was on its way would have come by now
    assert set(machine.runs().values()) == {1}


def test_a_start_that_comes_after_the_fence_runs_nothing(machine: Machine) -> None:
    batch = machine.batch()
    machine.client().fence(batch)
    with pytest.raises(ProviderSilent, match="taken back"):
        machine.submit(batch)
    assert machine.find(batch) is None
    assert machine.runs() == Counter()


def test_of_many_starts_of_one_order_one_runs(machine: Machine) -> None:
    machine.does(stops_after=6, how="hang", seconds_each=0.05)
    remote = machine.submit(machine.batch(6))
    keepers = [
        subprocess.Popen([sys.executable, "-P", job.__file__, str(machine.order()), *more])
        for more in ([], ["--stay"], [], ["--stay"])
    ]
    assert [keeper.wait(timeout=PATIENCE) for keeper in keepers] == [1, 1, 1, 1]
    eventually(lambda: len(machine.runs()) == 6, "the run of the one that was first")
    machine.client().cancel(remote)
    machine.ended(remote)
    assert set(machine.runs().values()) == {1}


def test_a_machine_that_was_restarted_leaves_a_batch_that_is_over(machine: Machine) -> None:
    machine.does(stops_after=2, how="hang")
    remote = machine.submit(machine.batch())
    os.killpg(machine.keeper(), signal.SIGKILL)
    progress = machine.ended(remote)
    assert (progress.event, progress.rest, dict(progress.files)) == ("end", "errored", {})
    assert progress.message is not None
    assert progress.message.startswith("killed: ")


def forget_the_end(machine: Machine) -> None:
    """Make an order that has ended look as if its keeper had died before it could say so."""
    eventually(lambda: not job.is_held(machine.order()), "the end of the keeper")
    (machine.order() / job.ENDED).unlink()


def test_a_process_number_that_somebody_else_has_now_is_neither_believed_nor_signalled(
    machine: Machine,
) -> None:
    remote = machine.submit(machine.batch())
    machine.ended(remote)
    forget_the_end(machine)
    with subprocess.Popen(["sleep", "60"], start_new_session=True) as stranger:
        owner = job.read(machine.order() / job.CLAIM)
        assert owner is not None
        job.write(machine.order() / job.CLAIM, {**owner, "pid": stranger.pid})
        machine.client().cancel(remote)
        assert machine.client().poll(remote).event == "end"
        assert stranger.poll() is None
        stranger.kill()


def test_answers_written_before_it_died_are_collected_and_a_torn_line_is_not(
    machine: Machine,
) -> None:
    machine.does(stops_after=4, how="kill")
    progress = machine.ended(machine.submit(machine.batch(6)))
    assert (progress.state, progress.event, progress.rest) == ("exit -9", "end", "errored")
    assert {reply.custom_id for reply in machine.collected(progress)} == _ids(4)


def test_before_it_wrote_as_it_goes_a_program_that_died_left_nothing(machine: Machine) -> None:
    machine.does(old=True, stops_after=4, how="kill")
    progress = machine.ended(machine.submit(machine.batch(6)))
    assert (progress.state, progress.event, dict(progress.files)) == ("exit -9", "refused", {})


def test_a_program_whose_keeper_was_killed_is_still_at_work_and_is_collected(
    machine: Machine,
) -> None:
    machine.does(seconds_each=0.2)
    remote = machine.submit(machine.batch(5))
    eventually(machine.runs)
    os.kill(machine.keeper(), signal.SIGKILL)
    assert machine.client().poll(remote).event == "progress"
    progress = machine.ended(remote)
    assert {reply.custom_id for reply in machine.collected(progress)} == _ids(5)
    assert set(machine.runs().values()) == {1}


def test_a_program_that_has_ended_is_over_whatever_it_left_running(machine: Machine) -> None:
    machine.does(leaves_a_child=True)
    remote = machine.submit(machine.batch())
    progress = machine.ended(remote)
    assert len(machine.collected(progress)) == 6
    assert job.is_held(machine.order())  # by the child; the fixture ends it


def test_a_batch_started_on_another_machine_is_left_alone(machine: Machine) -> None:
    remote = machine.submit(machine.batch())
    machine.ended(remote)
    forget_the_end(machine)
    owner = job.read(machine.order() / job.CLAIM)
    assert owner is not None
    job.write(machine.order() / job.CLAIM, {**owner, "host": "gpu-17"})
    with pytest.raises(ProviderSilent, match="started on gpu-17"):
        machine.client().poll(remote)


# -- Whatever fails


def test_a_model_that_is_not_there_is_refused_in_the_programs_words(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.does(unknown_models=["a/model"])
    progress = machine.ended(machine.submit(machine.batch()))
    assert progress.event == "refused"
    assert progress.message is not None
    assert progress.message.startswith(
        "exit 1: OSError: a/model is not a local folder and is not a valid model identifier"
    )
    assert str(machine.order() / "vllm.log") in progress.message


def test_a_token_in_the_log_is_not_repeated(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_CANARY")
    machine.does(unknown_models=["a/model"])
    progress = machine.ended(machine.submit(machine.batch()))
    assert progress.message is not None
    assert progress.message.startswith("exit 1: ValueError: ")
    assert "CANARY" not in progress.message
    assert "\x1b" not in progress.message


@pytest.mark.parametrize("code", [0, 3])
def test_a_program_that_ends_without_an_answer_is_not_tried_again_and_again(
    machine: Machine, code: int
) -> None:
    machine.does(writes_nothing=True, exit=code)
    progress = machine.ended(machine.submit(machine.batch()))
    assert (progress.state, progress.event) == (f"exit {code}", "refused")


def test_a_program_that_went_away_is_refused(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHORUS_VLLM", str(machine.programs / "gone"))
    assert "CHORUS_VLLM=/path/to/vllm" in str(VllmBatch.missing(machine.client()._service))
    progress = machine.ended(machine.submit(machine.batch()))
    assert progress.event == "refused"
    assert progress.message is not None
    assert "No such file or directory" in progress.message


def test_what_a_cancelled_program_has_written_is_collected(machine: Machine) -> None:
    machine.does(stops_after=3, how="hang")
    remote = machine.submit(machine.batch(6))
    eventually(lambda: sum(machine.runs().values()) == 3)
    machine.client().cancel(remote)
    progress = machine.ended(remote)
    assert (progress.state, progress.event, progress.rest) == ("cancelled", "end", "cancelled")
    assert {reply.custom_id for reply in machine.collected(progress)} == _ids(3)
    machine.client().cancel(remote)  # once more does no harm


def test_a_program_that_does_not_listen_is_killed_in_the_end(machine: Machine) -> None:
    machine.does(stops_after=1, how="hang", deaf=True)
    remote = machine.submit(machine.batch(), timeout=1)
    eventually(machine.runs)
    began = time.monotonic()
    machine.client().cancel(remote)
    assert machine.ended(remote).state == "cancelled"
    assert time.monotonic() - began > 0.5


@pytest.mark.parametrize("name", ["b0001-2", "../../b0001-1", "..", "", "b0001-1/../b0001-1"])
def test_an_order_that_is_not_there_is_never_taken_to_be_over(machine: Machine, name: str) -> None:
    machine.ended(machine.submit(machine.batch()))
    for call in (machine.client().poll, machine.client().cancel):
        with pytest.raises(ProviderRefused, match="action=abandon") as caught:
            call(RemoteId(name))
        assert caught.value.forgotten


def test_a_damaged_record_is_named(machine: Machine) -> None:
    remote = machine.submit(machine.batch())
    machine.ended(remote)
    (machine.order() / job.ENDED).write_text("{")
    with pytest.raises(ProviderReplyUnreadable, match=r"ended\.json is damaged"):
        machine.client().poll(remote)


def test_single_requests_are_refused_in_one_line(machine: Machine) -> None:
    with pytest.raises(ProviderRefused, match="provider=compatible"):
        machine.client().ask(b"{}")


# -- As a job on a cluster


@pytest.fixture
def cluster(machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make the machine send Slurm jobs; returns what the stand-in for Slurm looks at."""
    pytest.importorskip("submitit")
    home = tmp_path / "slurm"
    home.mkdir()
    for name in ("sbatch", "srun", "squeue", "scancel"):
        machine.install(name, "stand_in_slurm.py")
    monkeypatch.setenv("PATH", f"{machine.programs}:{os.environ['PATH']}")
    monkeypatch.setenv("STAND_IN_SLURM", str(home))
    machine.launcher = "slurm"
    return home


def begin(home: Path) -> None:
    """Let the first job begin that was held in the queue."""
    code = f"import sys; sys.path.insert(0, {str(STAND_INS)!r}); import stand_in_slurm as s; s.begin('1')"
    subprocess.run([sys.executable, "-c", code], check=True)


def what_the_job_does(machine: Machine) -> int:
    """Run what a job runs that arrived although nobody knows of it, and return its exit code."""
    keeper = [sys.executable, "-P", job.__file__, str(machine.order()), job.STAY]
    return subprocess.run(keeper, check=False, timeout=PATIENCE).returncode


def test_a_job_waits_runs_and_its_answers_come_back(machine: Machine, cluster: Path) -> None:
    (cluster / "held").touch()
    remote = machine.submit(machine.batch())
    assert machine.client().poll(remote).state == "slurm 1: PENDING"
    script = (cluster / "1.sh").read_text()
    assert "#SBATCH --partition=gpu\n" in script
    assert "#SBATCH --time=5\n" in script
    begin(cluster)
    progress = machine.ended(remote)
    assert (progress.state, progress.event) == ("completed", "end")
    assert len(machine.collected(progress)) == 6
    assert set(machine.runs().values()) == {1}


def test_a_runner_killed_after_it_sent_a_job_finds_it_again(
    machine: Machine, cluster: Path
) -> None:
    (cluster / "held").touch()
    batch = machine.batch()
    submit_and_die(machine, 30)
    assert settled(machine, batch) == "b0001-1"


def test_a_job_that_nobody_has_noted_is_made_harmless_before_another_is_sent(
    machine: Machine, cluster: Path
) -> None:
    (cluster / "held").touch()
    (cluster / "says").write_text("sbatch: error: Socket timed out on send/recv operation\n")
    batch = machine.batch()
    with pytest.raises(ProviderSilent, match="Socket timed out"):
        machine.submit(batch)
    assert settled(machine, batch) is None
    assert what_the_job_does(machine) == 1
    assert machine.runs() == Counter()


def test_a_job_that_is_refused_says_why_and_can_never_run(machine: Machine, cluster: Path) -> None:
    (cluster / "says").write_text("sbatch: error: invalid partition specified: gpu\n")
    (cluster / "held").touch()
    with pytest.raises(ProviderRefused, match="invalid partition specified: gpu"):
        machine.submit(machine.batch())
    assert what_the_job_does(machine) == 1
    assert machine.runs() == Counter()


def test_a_job_cancelled_in_the_queue_ends_without_a_run(machine: Machine, cluster: Path) -> None:
    (cluster / "held").touch()
    remote = machine.submit(machine.batch())
    machine.client().cancel(remote)
    progress = machine.ended(remote)
    assert (progress.event, progress.rest, dict(progress.files)) == ("end", "cancelled", {})


def test_a_job_that_slurm_ended_before_it_began_is_refused(machine: Machine, cluster: Path) -> None:
    (cluster / "held").touch()
    remote = machine.submit(machine.batch())
    (cluster / "1.pid").write_text("999999999")
    progress = machine.ended(remote)
    assert (progress.state, progress.event) == ("never began", "refused")


def test_a_job_that_slurm_starts_again_runs_nothing_twice(machine: Machine, cluster: Path) -> None:
    machine.does(stops_after=3, how="hang")
    remote = machine.submit(machine.batch())
    eventually(lambda: sum(machine.runs().values()) == 3)
    os.killpg(int((cluster / "1.pid").read_text()), signal.SIGKILL)  # the node is gone
    os.killpg(machine.keeper(), signal.SIGKILL) if _group(machine.keeper()) else None
    begin(cluster)
    progress = machine.ended(remote)
    assert (progress.event, progress.rest) == ("end", "errored")
    assert {reply.custom_id for reply in machine.collected(progress)} == _ids(3)
    assert set(machine.runs().values()) == {1}


def _group(pid: int) -> bool:
    try:
        return os.getpgid(pid) == pid
    except ProcessLookupError:
        return False


def test_a_queue_that_does_not_answer_says_nothing_of_a_job(
    machine: Machine, cluster: Path
) -> None:
    (cluster / "held").touch()
    remote = machine.submit(machine.batch())
    (machine.programs / "squeue").write_text("#!/bin/sh\necho slurm_load_jobs error >&2; exit 1\n")
    with pytest.raises(ProviderSilent, match="slurm_load_jobs error"):
        machine.client().poll(remote)


def test_what_a_cluster_needs_is_asked_for_in_one_line(
    machine: Machine, cluster: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert VllmBatch.missing(machine.client()._service) is None
    monkeypatch.setenv("PATH", "/nowhere")
    assert "sbatch is not on the PATH" in str(VllmBatch.missing(machine.client()._service))


# -- From the command line


def run(machine: Machine, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*arguments),
        cwd=machine.folder.parent,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def command(*arguments: str) -> list[str]:
    quick = ["poll.first_seconds=0.05", "poll.max_seconds=0.1", "poll.settle_seconds=0.1"]
    small = ["personas=[p1]", "texts=[t3]", "trials=4"]
    return [sys.executable, "-m", "runner", "provider=vllm", *small, *quick, *arguments]


def run_folder(machine: Machine) -> Path:
    return machine.folder.parent / "outputs" / "literary" / "vllm_Qwen-Qwen3-8B"


@pytest.mark.long
def test_a_study_runs_from_the_command_line_and_again_sends_nothing(machine: Machine) -> None:
    first, again = run(machine), run(machine)
    assert (first.returncode, again.returncode) == (0, 0), first.stdout + first.stderr
    assert "own hardware" not in first.stderr
    summary = json.loads((run_folder(machine) / "summary.json").read_text())
    assert (summary["total"], summary["success"]) == (4, 4)
    assert "REHEARSAL" not in first.stdout
    assert set(machine.runs().values()) == {1}
    assert len(list((run_folder(machine) / "raw").iterdir())) == 1


@pytest.mark.long
def test_a_killed_study_goes_on_where_its_program_is(machine: Machine) -> None:
    machine.does(seconds_each=0.3)
    with subprocess.Popen(
        command(), cwd=machine.folder.parent, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as first:
        eventually(machine.runs)
        first.kill()
    assert run(machine).returncode == 0
    assert set(machine.runs().values()) == {1}


@pytest.mark.long
def test_what_a_dead_program_did_not_answer_is_asked_again_and_nothing_else(
    machine: Machine,
) -> None:
    machine.does(stops_after=3, how="exit")
    ended = run(machine)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert sorted(machine.runs().values()) == [1, 1, 1, 1]


@pytest.mark.long
def test_a_model_that_is_not_there_stops_the_study_in_one_line(machine: Machine) -> None:
    machine.does(unknown_models=["Qwen/Qwen3-8B"])
    ended = run(machine)
    assert ended.returncode == 3
    assert "is not a valid model identifier" in ended.stdout + ended.stderr
    assert machine.runs() == Counter()


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    first(
        6,
        [
            (["service=emulated"], "trials=1"),
            (["provider.arguments=[--trust_remote_code]"], "loads code"),
            (["provider.arguments=[--trust]"], "loads code"),
            (["provider.arguments=['--worker-cls=evil.Worker']"], "loads code"),
            (["provider.arguments=[--config,evil.yaml]"], "loads code"),
            (["provider.arguments=[--hf-overrides,'{\"a\":1}']"], "loads code"),
            (["provider.arguments=['--hf_overrides.architectures=x']"], "loads code"),
            (["provider.arguments=[--speculative-config,x]"], "loads code"),
            (["provider.arguments=[--kv-transfer-config,x]"], "loads code"),
            (["provider.arguments=[--additional-config,x]"], "loads code"),
            (["provider.arguments=[--tokenizer-mode,custom]"], "loads code"),
            (["provider.arguments=[--model-impl,transformers]"], "loads code"),
            (["provider.arguments=[--a-new-one-of-next-year,x]"], "loads code"),
            (["provider.arguments=[--max-model-len,'{\"a\":1}']"], "loads code"),
            (["provider.arguments=[-o,elsewhere]"], "ours to give"),
            (["provider.launcher=ssh"], "allowed: process, slurm"),
            (['provider.slurm.partition="gpu\\n#SBATCH --wrap=evil"'], "provider.slurm.partition"),
            (["provider.slurm.partitions=gpu"], "partition"),
        ],
    ),
)
def test_a_mistake_is_one_line(arguments: list[str], wanted: str) -> None:
    with pytest.raises(ConfigError) as refused:
        composed(command(*arguments)[3:])
    assert wanted in str(refused.value)
    assert len(str(refused.value).splitlines()) == 1


def test_it_is_said_on_the_screen_and_nothing_is_written(
    machine: Machine, capfd: pytest.CaptureFixture[str]
) -> None:
    with chdir(machine.folder.parent):
        code = main(command("provider.arguments=[-o,elsewhere]")[3:])
    said = capfd.readouterr().err
    assert code == 2, said
    assert "ours to give" in said
    assert len(said.splitlines()) == 1
    assert not (machine.folder.parent / "outputs").exists()


@pytest.mark.long
def test_other_arguments_under_the_same_name_are_refused_with_the_difference(
    machine: Machine,
) -> None:
    assert run(machine).returncode == 0
    ended = run(machine, "provider.arguments=[--max-model-len,4096]")
    assert ended.returncode == 2
    assert "--max-model-len 4096" in ended.stderr


def test_a_plan_says_what_it_costs_and_where_it_runs(machine: Machine) -> None:
    ended = run(machine, "action=plan")
    assert ended.returncode == 0, ended.stderr
    assert "own hardware" in ended.stdout
    assert "as a process of this machine" in ended.stdout
    assert "24h" not in ended.stdout
