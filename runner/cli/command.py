"""The command line as it was typed, changed in a word or two: for hints that work when pasted."""

import shlex

from runner.config.schema import EMULATOR

_REHEARSAL = ("action", "faults", "service")
"""What a rehearsal's command says and the real one does not; and all below it, as faults.seed."""


def for_real(command: str, *, nameless: bool) -> str:
    """Return the command that sends for real what a rehearsal has sent to the emulator.

    Args:
        command: the rehearsal's.
        nameless: the rehearsal, or a job of it, was one of no provider in particular.
    """
    words = shlex.split(command)
    kept = [_named(word) for word in words if _key(word).partition(".")[0] not in _REHEARSAL]
    if nameless and all(_key(word) != "provider" for word in words):
        kept.append("provider=openai")
    elif not nameless and all(_key(word).partition(".")[0] != "service" for word in words):
        kept.append("service=live")  # a file of the user's says emulated
    return shlex.join(kept)


def doing(command: str, action: str) -> str:
    """Return the command with another action."""
    return shlex.join(
        [*(word for word in shlex.split(command) if _key(word) != "action"), f"action={action}"]
    )


def _key(word: str) -> str:
    key, equals, _ = word.lstrip("+~").partition("=")
    return key if equals else ""


def _named(word: str) -> str:
    """Name a provider where the emulator stood for any."""
    if _key(word) != "provider":
        return word
    key, _, names = word.partition("=")
    named = ["openai" if name.strip() == EMULATOR else name for name in names.split(",")]
    return f"{key}={','.join(dict.fromkeys(named))}"
