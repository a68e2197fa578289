"""Who made a model, by its name: conf/vendors.yaml."""

import re
from functools import cache

import yaml

from runner.config.shipped import SHIPPED


def vendor_of(model: str) -> str | None:
    """Return who made a model, whoever serves it; None: its name does not say."""
    words, vendors = _known()
    found = words.search(model.lower())
    return vendors[found[0]] if found else None


@cache
def _known() -> tuple[re.Pattern[str], dict[str, str]]:
    said = yaml.safe_load((SHIPPED / "vendors.yaml").read_text(encoding="utf-8"))
    longest = sorted(map(re.escape, said), key=len, reverse=True)
    return re.compile(rf"(?<![a-z0-9])({'|'.join(longest)})(?![a-z])"), dict(said)
