"""Command line of the dashboard: on a terminal its screens, elsewhere the same as text.

Exit codes: see `python -m tui --help`.
"""

import json
import os
import socket
import sys
import time
from collections.abc import Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING

from runner import __version__
from runner.core.errors import ConfigError, RunnerError
from tui.arguments import INTERRUPTED, NO_INPUT, USER_MISTAKE, WELL, WORK_REMAINS, Arguments, parse
from tui.language import ENGLISH, speak, tr

if TYPE_CHECKING:
    from tui.settings import DashboardSettings


def main(argv: Sequence[str] | None = None) -> int:
    """Do what the command line says, and return the exit code."""
    given = sys.argv[1:] if argv is None else list(argv)
    try:
        arguments = parse(given)
        if arguments.version:
            print(f"chorus {__version__}")
            return WELL
        _speak(arguments)
        return _run(arguments, given)
    except ConfigError as error:
        return _say(error, USER_MISTAKE)
    except RunnerError as error:
        return _say(error, WORK_REMAINS)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:  # the reader of our lines has left
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return WELL


def _speak(arguments: Arguments) -> None:
    """Choose the language; JSON is for programs, and in English."""
    language = _settings(arguments).lang
    speak(ENGLISH if arguments.json else language)


def _say(error: object, code: int) -> int:
    from tui.cells import clean

    print(f"error: {clean(str(error))}", file=sys.stderr)
    return code


def _run(arguments: Arguments, given: Sequence[str]) -> int:
    from tui.plain import NoSuchExperiment, experiment_folder

    try:
        if arguments.experiment is not None:
            experiment_folder(arguments.outputs, arguments.experiment)
        if arguments.serve:
            from tui.serve import serve

            _settings(arguments)
            return serve(_without_serve(given), arguments.port)
        if arguments.text_only or not is_terminal():
            return _tell(arguments)
    except NoSuchExperiment as error:
        return _say(error, NO_INPUT)
    return _show(arguments)


def is_terminal() -> bool:
    """Tell whether screens can be drawn; a browser's driver needs no terminal."""
    if os.environ.get("TEXTUAL_DRIVER"):
        return True
    streams = (sys.stdin, sys.stdout, sys.stderr)
    there = all(stream is not None and stream.isatty() for stream in streams)
    return there and os.environ.get("TERM") != "dumb"


def _tell(arguments: Arguments) -> int:
    from tui.plain import Teller

    if arguments.words:
        return _tell_plan(arguments)
    teller = Teller(
        outputs=arguments.outputs,
        say=lambda line: print(line, flush=True),
        clock=time.time,
        host=socket.gethostname(),
        as_json=arguments.json,
    )
    if not arguments.watch:
        return teller.once(arguments.experiment)
    assert arguments.experiment is not None
    return teller.watch(arguments.experiment, _settings(arguments).poll_seconds)


def _tell_plan(arguments: Arguments) -> int:
    """Say what would be run; without a terminal there is no one to ask, so nothing is started."""
    from tui.launch import planned
    from tui.plain import plan_lines

    launch = planned(arguments.words)
    if arguments.json:
        told = {"command": launch.command, "plans": launch.plans, "warnings": launch.warnings}
        print(json.dumps(told))
        return WELL
    for line in plan_lines(launch.plans, launch.warnings):
        print(line)
    print(tr("nothing was started; to run it: {command}", command=launch.command))
    return WELL


def _settings(arguments: Arguments) -> "DashboardSettings":
    """Return the settings of the file, then of the environment, then of the command line."""
    from tui.settings import changed, load

    of_file = load(arguments.settings)
    spoken = changed(of_file, "CHORUS_LANG", lang=os.environ.get("CHORUS_LANG") or None)
    settings = changed(
        spoken,
        theme=arguments.theme,
        glyphs="ascii" if arguments.ascii else None,
        poll_seconds=arguments.poll,
        lang=arguments.lang,
    )
    return changed(settings, theme="ansi-dark" if os.environ.get("NO_COLOR") else None)


def _check_keymap(settings: "DashboardSettings") -> None:
    """Refuse a name that no key has."""
    from tui.screens.help import binding_ids

    known = binding_ids()
    for name in settings.keymap:
        if name not in known:
            near = get_close_matches(name, known, n=1)
            hint = (
                tr("did you mean {near}?", near=near[0])
                if near
                else tr("? in the dashboard shows the names")
            )
            raise ConfigError(
                tr("keymap: {name}: no key has that name; {hint}", name=name, hint=hint)
            )


def _without_serve(given: Sequence[str]) -> list[str]:
    """Return the command line of the dashboard that a browser shows."""
    rest: list[str] = []
    words = iter(given)
    for word in words:
        if word == "--port":
            next(words, None)
        elif word != "--serve" and not word.startswith("--port="):
            rest.append(word)
    return rest


def _show(arguments: Arguments) -> int:
    settings = _settings(arguments)
    if settings.keymap:
        _check_keymap(settings)
    from tui.app import Dashboard

    app = Dashboard(
        arguments.outputs, arguments.experiment, settings=settings, words=arguments.words
    )
    app.run()
    return app.return_code or WELL


if __name__ == "__main__":
    sys.exit(main())
