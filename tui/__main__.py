"""The dashboard is not built yet; say so, and what to use until it is."""

import sys


def main() -> int:
    """Print one honest line."""
    print(
        "the dashboard is not built yet; python -m runner action=status shows a run",
        file=sys.stderr,
    )
    return 2


if __name__ == "__main__":
    sys.exit(main())
