"""What --completion prints: a script with which bash, zsh or fish completes `chorus`.

All that it knows stands in the script: pressing the key starts no process. Nothing of Hydra is
imported to make it.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from runner.cli.help import GROUPS
from runner.config.shipped import EDITOR_SCHEMA, SHIPPED
from runner.core.errors import ConfigError

_SECTIONS: Final = ("question", "persona", "text", "items", "messages")
"""What is written into files, not on a command line."""
_FLAGS: Final = ("--help", "--version", "--json", "--config-dir", "--cfg", "-m", "--completion")

_BASH: Final = """\
# Completes chorus in bash: eval "$(chorus --completion bash)", in ~/.bashrc to keep it.
_chorus() {
  local line="${COMP_LINE:0:COMP_POINT}" name rest before words
  local word="${line##*[[:space:]]}"   # the whole of it: bash divides words at =
  COMPREPLY=()
  if [[ $word != *=* ]]; then
    COMPREPLY=($(compgen -W "%(names)s" -- "$word"))
    [[ ${COMPREPLY[0]-} == *= ]] && compopt -o nospace
    return
  fi
  name="${word%%%%=*}"; rest="${word#*=}"; before="${rest%%"${rest##*,}"}"
  case "$name" in
%(cases)s
    *) compopt -o default; return ;;
  esac
  COMPREPLY=($(compgen -P "$before" -W "$words" -- "${rest##*,}"))
}
complete -F _chorus chorus
"""
_ZSH: Final = """\
# Completes chorus in zsh: eval "$(chorus --completion zsh)", in ~/.zshrc after compinit to keep it.
_chorus() {
  local name=${PREFIX%%%%=*}
  if [[ $PREFIX != *=* ]]; then
    compadd -S '' -- %(settings)s
    compadd -- %(flags)s
    return
  fi
  compset -P '*[=,]'
  case $name in
%(cases)s
    *) _files ;;
  esac
}
compdef _chorus chorus
"""
_FISH: Final = """\
# Completes chorus in fish: chorus --completion fish | source, in ~/.config/fish/config.fish to keep it.
complete -c chorus -e
complete -c chorus -a '%(all)s'
"""
SHELLS: Final = ("bash", "zsh", "fish")


def completion(shell: str) -> str:
    """Return the script for a shell.

    Args:
        shell: one of `SHELLS`.

    Raises:
        ConfigError: it is another one.
    """
    if shell not in SHELLS:
        raise ConfigError(f"--completion: {shell or 'no shell'}; allowed: {', '.join(SHELLS)}")
    known = settings()
    names = [f"{name}=" for name in known]
    valued = {name: values for name, values in known.items() if values}
    if shell == "fish":
        pairs = [f"{name}={value}" for name, values in valued.items() for value in values]
        return _FISH % {"all": " ".join([*_FLAGS, *names, *pairs])}
    if shell == "zsh":
        cases = [f"    {name}) compadd -- {' '.join(values)} ;;" for name, values in valued.items()]
        said = {"settings": " ".join(names), "flags": " ".join(_FLAGS), "cases": "\n".join(cases)}
        return _ZSH % said
    cases = [f'    {name}) words="{" ".join(values)}" ;;' for name, values in valued.items()]
    return _BASH % {"names": " ".join([*names, *_FLAGS]), "cases": "\n".join(cases)}


def settings() -> dict[str, tuple[str, ...]]:
    """Return every setting of a command line, with the words that it may be, if it is one of some."""
    schema = json.loads((SHIPPED / EDITOR_SCHEMA).read_text(encoding="utf-8"))
    files = {
        group: tuple(sorted(path.stem for path in (SHIPPED / group).glob("*.yaml")))
        for group in GROUPS
    }
    return files | dict(_leaves("", schema))


def _leaves(path: str, schema: Mapping[str, Any]) -> Iterator[tuple[str, tuple[str, ...]]]:
    kinds: list[Mapping[str, Any]] = [schema, *schema.get("anyOf", ())]
    inner: Mapping[str, Any] = next(
        (kind["properties"] for kind in kinds if "properties" in kind), {}
    )
    if not inner or path == "trials":
        words = next((kind["enum"] for kind in kinds if "enum" in kind), ())
        yield path, ("true", "false") if True in words else tuple(words)
        return
    for name, below in inner.items():
        if path or name not in (*_SECTIONS, "defaults", "hydra", "service"):
            yield from _leaves(f"{path}.{name}".lstrip("."), below)
