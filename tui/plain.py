"""What the screens say, as text or JSON: once, or a line for every change; no widget is loaded."""

import json
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from runner import called
from runner.core.model import Batch
from runner.core.states import FINAL_STATES
from runner.core.summary import by_state, shown_state
from tui.arguments import LOCKED, NO_INPUT, WELL, WORK_REMAINS
from tui.attention import Notice, attention
from tui.cells import age, clean
from tui.language import heard, term, tr
from tui.liveness import Life, Liveness, liveness
from tui.model import Health, Job, Snapshot, Totals, totals
from tui.source import ExperimentSource, experiment_folders

Facts = Mapping[str, Any]


class NoSuchExperiment(Exception):
    """There is no experiment of that name; the message says which there are."""


def experiment_folder(outputs: Path, name: str) -> Path:
    """Return the folder of an experiment.

    Raises:
        NoSuchExperiment: there is none.
    """
    folder = outputs / name
    if name not in ("", ".", "..") and Path(name).name == name and folder.is_dir():
        return folder
    known = [path.name for path in experiment_folders(outputs)]
    near = get_close_matches(name, known, n=1)
    if near:
        hint = tr("did you mean {near}?", near=near[0])
    elif known:
        more = (
            tr(" and {more} more", more=len(known) - _MOST_NAMED)
            if len(known) > _MOST_NAMED
            else ""
        )
        hint = tr("there are {known}{more}", known=", ".join(known[:_MOST_NAMED]), more=more)
    else:
        hint = tr("there is none yet; {command} makes the first one", command=called.command())
    raise NoSuchExperiment(
        clean(
            tr("no experiment {name} in {outputs}: {hint}", name=name, outputs=outputs, hint=hint)
        )
    )


_MOST_NAMED = 8


# -- facts, JSON-ready; their keys are a promise to scripts


def experiment_facts(snapshot: Snapshot, now: float, host: str) -> Facts:
    """Return what the screens would say of an experiment."""
    lives = [liveness(job, now, host) for job in snapshot.jobs]
    notices = attention(snapshot.jobs, now, lives)
    jobs = [
        _job_facts(job, life, now, [n for n in notices if n.job == job.name])
        for job, life in zip(snapshot.jobs, lives, strict=True)
    ]
    return {
        "experiment": snapshot.experiment,
        "at": now,
        "exit_code": max((job["exit_code"] for job in jobs), default=NO_INPUT),
        "trouble": snapshot.trouble,
        **_counters(totals(snapshot.jobs)),
        "jobs": jobs,
    }


def _counters(found: Totals) -> dict[str, Any]:
    return {
        "total": found.total,
        "success": found.success,
        "retry_success": found.retry_success,
        "failed": found.failed,
        "open": found.open,
        "unreadable": found.asked_again,
        "lost": found.lost,
        "adds_up": found.difference == 0,
        "cost_usd": float(found.cost_usd) if found.cost_known else None,
        "cost_unknown": found.cost_unknown,
        "cost_unknown_usd": float(found.cost_unknown_usd),
        "committed_usd": float(found.committed_usd),
        "budget_usd": None if found.budget_usd is None else float(found.budget_usd),
    }


def _job_facts(job: Job, life: Liveness, now: float, notices: list[Notice]) -> dict[str, Any]:
    beat = job.heartbeat
    held = [heard(text) for text, _ in job.held_up]
    return {
        "job": job.name,
        "folder": str(job.folder),
        "provider": job.provider if job.known else None,
        "model": job.model if job.known else None,
        "rehearsal": job.emulated if job.known else None,
        "ledger": job.health.value,
        "trouble": job.trouble,
        "data_age": None if job.good_at is None else max(now - job.good_at, 0.0),
        "runner": life.life.value.replace(" ", "_"),
        "heartbeat_age": life.beat_age,
        "pid": beat.get("pid"),
        "host": beat.get("host"),
        "rev": job.rev,
        "exit_code": _exit_code(job, life),
        **_counters(totals((job,))),
        "input_tokens": job.summary.get("input_tokens"),
        "output_tokens": job.summary.get("output_tokens"),
        "pattern_match_stats": job.summary.get("pattern_match_stats", {}),
        "missing_by_cause": job.summary.get("missing_by_cause", {}),
        "next_at": job.summary.get("next_at"),
        "states": by_state(job.batches),
        "batches": [_batch_facts(batch) for batch in job.batches],
        "commands_waiting": [
            {"verb": c["verb"], "batch": c.get("batch"), "at": c["at"]} for c in job.commands
        ],
        "runner_says": [*([life.sentence] if life.sentence else []), *held],
        "attention": [
            {"level": _LEVELS.get(n.style, "NOTE"), "batch": n.batch, "sentence": n.sentence}
            for n in notices
        ],
    }


_LEVELS = {"bad": "ERROR", "warn": "WARN"}


def _batch_facts(batch: Batch) -> dict[str, Any]:
    return {
        "batch": batch.key,
        "state": shown_state(batch),
        "over": batch.state in FINAL_STATES,
        "remote": batch.remote,
        "remote_state": batch.remote_state,
        "requests": batch.count,
        "completed": batch.completed,
        "outcomes": dict(batch.tally),
        "sent_at": batch.sent_at,
        "polled_at": batch.polled_at,
        "next_at": batch.next_at or None,
        "expires_at": batch.expires_at,
        "tries": batch.tries,
        "cost_usd": None if batch.cost_usd is None else float(batch.cost_usd),
        "error": batch.error,
    }


def _exit_code(job: Job, life: Liveness) -> int:
    """Say how a job stands, for scripts."""
    if job.health is Health.LOCKED:
        return LOCKED
    if job.health is not Health.OK:
        return NO_INPUT
    if life.at_work:
        return WELL
    done = job.summary and not job.summary.get("open") and not job.summary.get("failed")
    return WELL if done and life.life in (Life.FINISHED, Life.LEFT) else WORK_REMAINS


# -- text


def lines(facts: Facts) -> Iterator[str]:
    """Yield an experiment's facts as text for people, and for grep."""
    if facts["trouble"]:
        yield f"ERROR {clean(heard(facts['trouble']))}"
    for job in facts["jobs"]:
        yield from (clean(line) for line in _job_lines(facts["experiment"], job))
    if len(facts["jobs"]) > 1:
        yield tr(
            "{experiment} {count} jobs  {counters}",
            experiment=clean(facts["experiment"]),
            count=len(facts["jobs"]),
            counters=counters_line(facts),
        )


def _job_lines(experiment: str, job: Facts) -> Iterator[str]:
    beat = job["heartbeat_age"]
    words = [f"{experiment} {job['job']} ", f"ledger={job['ledger']}", f"runner={job['runner']}"]
    words += [] if beat is None else [f"heartbeat={age(beat)}"]
    words += ["REHEARSAL"] if job["rehearsal"] else []
    yield " ".join(words)
    if job["trouble"]:
        old = job["data_age"]
        stale = "" if old is None else tr("; what follows is {old} old", old=age(old))
        yield f"ERROR {heard(job['trouble'])}{stale}"
    if job["data_age"] is not None and job["ledger"] != Health.NEWER:
        yield counters_line(job)
        if job["states"]:
            states = " ".join(f"{k}={n}" for k, n in sorted(job["states"].items()))
            yield tr("batches {states}", states=states)
        for batch in job["batches"]:
            if not batch["over"]:
                yield _batch_line(batch)
    for sentence in job["runner_says"]:
        yield f"{_level(job)} {sentence}"
    for notice in job["attention"]:
        yield _notice_line(notice)


def _level(job: Facts) -> str:
    """Return how bad it is what is said of a runner."""
    return _LEVELS[Life(job["runner"]).style]


def counters_line(facts: Facts) -> str:
    """Return the counters and the money of a job, or of all."""
    done = facts["success"] + facts["retry_success"] + facts["failed"]
    cost = "?" if facts["cost_usd"] is None else f"{facts['cost_usd']:.4f}"
    if facts["cost_unknown"]:
        cost += tr(
            " (unknown for {count}, up to {usd:.4f})",
            count=facts["cost_unknown"],
            usd=facts["cost_unknown_usd"],
        )
    of = "" if facts["budget_usd"] is None else f"/{facts['budget_usd']:.2f}"
    wrong = "" if facts["adds_up"] else tr("  ! they do not add up")
    counted = ("total", "success", "retry_success", "failed", "open", "unreadable", "lost")
    return tr(
        "answers {done}/{total} success {success} retry_success {retry_success} failed {failed} "
        "open {open} unreadable {unreadable} lost {lost} cost ${cost}{of}{wrong}",
        done=done,
        cost=cost,
        of=of,
        wrong=wrong,
        **{name: facts[name] for name in counted},
    )


def _batch_line(batch: Facts) -> str:
    line = tr(
        "batch {key} {state} {requests} requests",
        key=batch["batch"],
        state=term("state", batch["state"]),
        requests=batch["requests"],
    )
    if batch["completed"] is not None:
        line += tr(", {completed} done", completed=batch["completed"])
    elif batch["polled_at"] is not None:
        line += tr(", no progress reported")
    if batch["remote_state"]:
        line += tr(", the provider says {remote_state}", remote_state=batch["remote_state"])
    return line + (f" - {batch['error']}" if batch["error"] else "")


def _notice_line(notice: Facts) -> str:
    batch = notice["batch"]
    named = batch is None or str(notice["sentence"]).startswith(batch)
    return f"{notice['level']} " + ("" if named else f"{batch} ") + str(notice["sentence"])


_PLANNED = ("experiment", "provider", "model", "total", "to_send", "batches")


def plan_lines(plans: Iterable[Facts], warnings: Iterable[str]) -> Iterator[str]:
    """Yield what a run would do, a line a job, and what stands in the way."""
    for plan in plans:
        low, high = (
            "?" if plan[key] is None else f"${plan[key]:.4f}"
            for key in ("cost_usd_low", "cost_usd_high")
        )
        yield clean(
            tr(
                "{experiment} {provider} {model}{rehearsal}: {total} requests, {answered} answered "
                "already, {to_send} to send in 1 batch, {low} to {high}"
                if plan["batches"] == 1
                else "{experiment} {provider} {model}{rehearsal}: {total} requests, {answered} "
                "answered already, {to_send} to send in {batches} batches, {low} to {high}",
                rehearsal=" REHEARSAL" if plan["rehearsal"] else "",
                answered=plan["success"] + plan["retry_success"],
                low=low,
                high=high,
                **{name: plan[name] for name in _PLANNED},
            )
        )
        for note in plan["notes"]:
            yield clean(f"WARN {heard(note)}")
    for warning in warnings:
        yield clean(f"WARN {heard(warning)}")


# -- once, and again and again


@dataclass(frozen=True, slots=True, kw_only=True)
class Teller:
    """Writes what is known of experiments to a stream."""

    outputs: Path
    say: Callable[[str], object]
    clock: Callable[[], float]
    host: str
    as_json: bool = False

    def once(self, experiment: str | None) -> int:
        """Tell of one experiment, or of all; return the exit code.

        Raises:
            NoSuchExperiment: there is none of that name.
        """
        if experiment is not None:
            folders = [experiment_folder(self.outputs, experiment)]
        else:
            folders = experiment_folders(self.outputs)
        if not folders:
            raise NoSuchExperiment(
                tr(
                    "no experiment in {outputs} yet; {command} makes the first one",
                    outputs=self.outputs,
                    command=called.command(),
                )
            )
        codes: list[int] = []
        for folder in folders:
            facts = self._read(ExperimentSource(folder))
            codes.append(facts["exit_code"])
            if self.as_json:
                self.say(json.dumps(facts, ensure_ascii=True))
            elif experiment is not None:
                self._say_all(lines(facts))
            else:
                self.say(_listed(facts))
        return max(codes)

    def watch(self, experiment: str, seconds: float) -> int:
        """Tell of every change until all jobs are finished; return the exit code.

        Raises:
            NoSuchExperiment: there is none of that name.
        """
        source = ExperimentSource(experiment_folder(self.outputs, experiment))
        before: Facts | None = None
        while True:
            snapshot, _ = source.read(self.clock())
            facts = experiment_facts(snapshot, self.clock(), self.host)
            self._say_changes(before, facts)
            before = facts
            if facts["jobs"] and all(_is_over(job) for job in facts["jobs"]):
                source.close()
                return int(facts["exit_code"])
            time.sleep(seconds)

    def _read(self, source: ExperimentSource) -> Facts:
        snapshot, _ = source.read(self.clock())
        source.close()
        return experiment_facts(snapshot, self.clock(), self.host)

    def _say_all(self, said: Iterable[str]) -> None:
        for line in said:
            self.say(line)

    def _say_changes(self, before: Facts | None, facts: Facts) -> None:
        if self.as_json:
            if before is None or steady(before) != steady(facts):
                self.say(json.dumps(facts, ensure_ascii=True))
        else:
            at = time.strftime("%H:%M:%S", time.localtime(facts["at"]))
            self._say_all(f"{at} {line}" for line in changes(before, facts))


def _listed(facts: Facts) -> str:
    """Return an experiment on one line."""
    lives = ",".join(sorted({str(job["runner"]) for job in facts["jobs"]}))
    ledgers = ",".join(sorted({str(job["ledger"]) for job in facts["jobs"]}))
    warned = sum(len(job["attention"]) for job in facts["jobs"])
    told = all(job["rehearsal"] for job in facts["jobs"])
    beats = [job["heartbeat_age"] for job in facts["jobs"] if job["heartbeat_age"] is not None]
    words = [f"{facts['experiment']} ", f"jobs={len(facts['jobs'])}", f"ledger={ledgers}"]
    words += [f"runner={lives}", *([f"heartbeat={age(min(beats))}"] if beats else [])]
    words += [*(["REHEARSAL"] if told else []), counters_line(facts)]
    words += [tr("attention {warned}", warned=warned)] if warned else []
    return clean(" ".join(words))


def _is_over(job: Facts) -> bool:
    return bool(job["runner"] == Life.FINISHED and job["ledger"] == Health.OK)


_AGES = frozenset({"at", "heartbeat_age", "data_age", "rev", "sentence", "runner_says"})
"""What changes by itself, or with every word the runner writes."""


def steady(facts: Any) -> Any:
    """Return facts without what goes on by itself, as ages; where this differs, something happened."""
    if isinstance(facts, Mapping):
        return {
            key: steady(value)
            for key, value in facts.items()
            if key not in _AGES and not key.endswith("_at")
        }
    return [steady(value) for value in facts] if isinstance(facts, list) else facts


def changes(before: Facts | None, facts: Facts) -> Iterator[str]:
    """Yield a line for everything that is not as it was."""
    if facts["trouble"] and (before is None or before["trouble"] != facts["trouble"]):
        yield clean(f"ERROR {heard(facts['trouble'])}")
    known = {job["job"]: job for job in before["jobs"]} if before else {}
    for job in facts["jobs"]:
        for line in _job_changes(known.get(job["job"]), job):
            yield clean(f"{job['job']} {line}")


def _job_changes(old: Facts | None, job: Facts) -> Iterator[str]:
    now = {} if old is None else old
    if (now.get("runner"), now.get("ledger")) != (job["runner"], job["ledger"]):
        yield f"ledger={job['ledger']} runner={job['runner']}"
        if job["trouble"]:
            yield f"ERROR {heard(job['trouble'])}"
    said = {_figureless(sentence) for sentence in now.get("runner_says", ())}
    for sentence in job["runner_says"]:
        if _figureless(sentence) not in said:
            yield f"{_level(job)} {sentence}"
    states = {b["batch"]: (b["state"], b["remote_state"]) for b in now.get("batches", ())}
    for batch in job["batches"]:
        fresh = old is None and batch["over"]
        if not fresh and states.get(batch["batch"]) != (batch["state"], batch["remote_state"]):
            yield _batch_line(batch)
    if old is None or counters_line(old) != counters_line(job):
        yield counters_line(job)
    seen = {(n["batch"], _figureless(n["sentence"])) for n in now.get("attention", ())}
    for notice in job["attention"]:
        if (notice["batch"], _figureless(notice["sentence"])) not in seen:
            yield _notice_line(notice)


def _figureless(sentence: str) -> str:
    """Return a sentence without its figures: ages in it go on by themselves."""
    return re.sub(r"\d[\dhdms.,]*", "#", sentence)
