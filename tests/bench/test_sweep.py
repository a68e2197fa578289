"""How long a sweep takes beside its slowest job alone: python -m pytest -m bench -s tests/bench/test_sweep.py."""

import sys
from pathlib import Path

import pytest

from tests.bench.test_speed import measured

PROVIDERS = ("openai", "anthropic", "gemini", "groq", "kluster")
pytestmark = pytest.mark.bench


def test_five_providers_take_less_than_twice_the_slowest_of_them(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "runner", "service=emulated", f"outputs={tmp_path}"]
    alone = {
        provider: measured([*command, f"name={provider}", f"provider={provider}"])[0]
        for provider in PROVIDERS
    }
    sweep, memory = measured([*command, "-m", f"provider={','.join(PROVIDERS)}"])
    slowest = max(alone, key=lambda provider: alone[provider])
    print(
        f"\nthe bundled study, 120 requests a job: {slowest}, the slowest alone, "
        f"{alone[slowest]:.1f} s; one after another {sum(alone.values()):.1f} s; "
        f"all five in a sweep {sweep:.1f} s ({sweep / alone[slowest]:.2f} times), {memory:.0f} MB"
    )
    assert sweep < 2 * alone[slowest]
