"""Replay seeds: python -m tests.simulation PROVIDER FIRST [LAST]."""

import sys
import time

from tests.simulation.simulation import Broken, simulate


def main() -> int:
    provider, first, *rest = sys.argv[1:]
    last = int(rest[0]) if rest else int(first)
    began, faults, kills = time.monotonic(), 0, 0
    for seed in range(int(first), last + 1):
        try:
            weather = simulate(provider, seed)
        except Broken as broken:
            print(broken)
            return 1
        faults += len(weather.log)
        kills += sum(" killed " in line for line in weather.log)
        if not rest:
            print("\n".join(weather.log))
    count = last - int(first) + 1
    print(
        f"{provider}: {count} seeds, {faults} faults, {kills} kills, 0 paid twice, 0 lost; "
        f"{time.monotonic() - began:.0f} s"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
