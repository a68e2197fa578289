"""What `vllm run-batch` and a Slurm job for it can be told; nothing of it can load code."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from runner.providers.base import Options

PROCESS, SLURM = "process", "slurm"
_PLAIN_WORD = re.compile(r"[A-Za-z0-9_.,:=+&|*@/-]+")
_KNOWN = frozenset(
    {
        *("block-size", "cpu-offload-gb", "data-parallel-size", "disable-custom-all-reduce"),
        *("disable-sliding-window", "dtype", "enable-chunked-prefill", "enable-expert-parallel"),
        *("enable-prefix-caching", "enforce-eager", "generation-config", "gpu-memory-utilization"),
        *("kv-cache-dtype", "long-prefill-token-threshold", "max-concurrent-batches"),
        "max-inflight",
        *("max-logprobs", "max-long-partial-prefills", "max-model-len", "max-num-batched-tokens"),
        *(
            "max-num-partial-prefills",
            "max-num-seqs",
            "max-seq-len-to-capture",
            "num-gpu-blocks-override",
        ),
        *("num-scheduler-steps", "pipeline-parallel-size", "quantization", "reasoning-parser"),
        *("revision", "scheduling-policy", "seed", "swap-space", "tensor-parallel-size"),
        *("tokenizer-revision", "async-scheduling", "enable-log-requests", "disable-log-requests"),
        *("disable-log-stats", "max-parallel-loading-workers"),
    }
)
"""Arguments of vLLM that are numbers, switches or the name of something that it has; no others are
taken from a configuration, since many name code, a file or JSON in which a class can stand."""
_VALUE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]*")


_REFUSED = (
    "is refused: it is ours to give, or loads code, or may (known as harmless are numbers, switches "
    "and names, as --max-model-len); what your machine is to do in any case, say in its environment, "
    "as CHORUS_VLLM='vllm --trust-remote-code'"
)


@dataclass(kw_only=True)
class SlurmOptions:
    """What a job on a cluster asks for, in sbatch's words; None: what the cluster gives."""

    partition: str | None = None
    account: str | None = None
    qos: str | None = None
    constraint: str | None = None
    gres: str | None = None
    timeout_min: int = 240
    gpus_per_node: int | None = None
    cpus_per_task: int | None = None
    mem_gb: float | None = None

    def given(self) -> dict[str, str | float]:
        """Return what is asked for."""
        return {name: value for name, value in vars(self).items() if value is not None}


@dataclass(frozen=True, kw_only=True)
class VllmOptions(Options):
    """How a batch is run on the user's own machines."""

    choices: ClassVar[Mapping[str, tuple[str, ...]]] = {"launcher": (PROCESS, SLURM)}
    asked: ClassVar[tuple[str, ...]] = ("arguments",)
    asks_singly: ClassVar[bool] = False
    sends_headers: ClassVar[bool] = False
    launcher: str = PROCESS
    arguments: list[str] = field(default_factory=list)
    slurm: SlurmOptions = field(default_factory=SlurmOptions)

    def problems(self) -> Iterator[tuple[str, str]]:
        """Yield what loads code, and what sbatch would read as more than one word."""
        for argument in self.arguments:
            if not _is_plain(argument):
                yield "arguments", f"{argument!r} {_REFUSED}"
        for name, value in self.slurm.given().items():
            if isinstance(value, str) and not _PLAIN_WORD.fullmatch(value):
                yield f"slurm.{name}", f"{value!r}; allowed: letters, digits and _.,:=+&|*@/-"

    def way(self, again: str) -> str:
        """Say what runs a batch: a program, which has no window and answers no single request."""
        program = "a Slurm job" if self.launcher == SLURM else "a process of this machine"
        return f"in batches, each as {program}"


def _is_plain(argument: str) -> bool:
    """Tell whether a word for vLLM can load no code: a known argument, or a plain value of one."""
    if not argument.startswith("-"):
        return _VALUE.fullmatch(argument) is not None
    name, equals, value = argument.partition("=")
    word = name.removeprefix("--").replace("_", "-")
    known = name.startswith("--") and {word, word.removeprefix("no-")} & _KNOWN
    return bool(known) and (not equals or _VALUE.fullmatch(value) is not None)
