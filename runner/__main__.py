"""Command line: compose the configuration, do what `action` says, and say how it ended.

Exit codes: 0 all answered; 1 our fault; 2 a mistake of the user, nothing was sent; 3 work remains
or some requests failed; 130 interrupted; 141 nothing reads the output any more.
"""

import gc
import os
import signal
import sys
import traceback
from collections.abc import Callable
from typing import Any

from runner import __version__, called
from runner.cli.exits import (
    DONE,
    INTERRUPTED,
    MISTAKES,
    OUR_FAULT,
    UNREAD,
    USER_MISTAKE,
    WORK_REMAINS,
)
from runner.cli.help import FLAGS, help_text
from runner.cli.signals import take_over
from runner.core.errors import IllegalTransition, LedgerDamaged, RunnerError


def main(argv: list[str] | None = None) -> int:
    """Run the command line and return the exit code."""
    arguments = sys.argv[1:] if argv is None else argv
    # Results come in as many small objects without cycles; walking them again and again for
    # garbage, as the default thresholds do, is 7 % of a run of 10,000 requests.
    gc.set_threshold(50_000, 20, 20)
    try:
        code = _run(arguments)
        sys.stdout.flush()
    except MISTAKES as error:
        return _say(error, USER_MISTAKE)
    except IllegalTransition as error:
        traceback.print_exc()
        return _say(error, OUR_FAULT)
    except RunnerError as error:
        return _say(error, WORK_REMAINS)
    except KeyboardInterrupt:
        return _say("interrupted; run again to go on", INTERRUPTED)
    except OSError as error:
        from runner.cli.output import silence_unread

        if isinstance(error, BrokenPipeError) and silence_unread():
            return UNREAD
        return _say(f"{error}; nothing already paid is lost: run again to go on", WORK_REMAINS)
    else:
        return code


def _say(error: object, code: int) -> int:
    print(f"error: {error}", file=sys.stderr)
    return code


def _run(arguments: list[str]) -> int:
    if "--version" in arguments:
        print(f"chorus {__version__}")
        return DONE
    if any(flag in arguments for flag in FLAGS):
        print(help_text())
        return DONE
    if arguments[:1] == ["--completion"]:
        from runner.cli.completion import completion

        print(completion(" ".join(arguments[1:])), end="")
        return DONE
    from runner.config.compose import compose

    jobs = compose(arguments)
    if not jobs:  # --cfg and the like
        return DONE
    from runner.cli import actions
    from runner.cli.next_step import doing

    command = called.line(arguments)
    try:
        return actions.perform_all(jobs, command, _interruptible)
    except LedgerDamaged as error:
        if not str(error).endswith("action=recover"):
            raise
        raise LedgerDamaged(f"{error}: {doing(command, 'recover')}") from None


def _interruptible(engine: Any) -> Callable[[], bool]:
    """Let Ctrl-C or SIGTERM stop an engine cleanly, and the second one leave at once.

    Returns:
        A question: was it interrupted?
    """
    hits = 0

    def hit(*_: object) -> None:
        nonlocal hits
        hits += 1
        if hits > 1:  # what is on disk is enough to go on from
            os._exit(INTERRUPTED)
        engine.stop(leaving=True)

    take_over(hit, signal.SIGINT, signal.SIGTERM)
    return lambda: hits > 0


if __name__ == "__main__":
    sys.exit(main())
