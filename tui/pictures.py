"""The pictures of a request, of any provider, as a line that names them."""

import base64
import binascii
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from runner.core.images import described, facts, header
from runner.core.model import Image

_UNNAMED = "image"


def picture_in(part: Mapping[str, Any], names: Mapping[str, str]) -> str | None:
    """Return the line that stands for a part which is a picture; None when it is none.

    Args:
        part: of a turn, as it is in the request.
        names: what pictures are called, by the digest of their bytes.
    """
    for place, key in (("image_url", "url"), ("source", "url"), ("fileData", "fileUri")):
        inside = part.get(place)
        address = inside.get(key) if isinstance(inside, dict) else None
        if isinstance(address, str):
            kind, mark, data = address.partition(";base64,")
            is_data = bool(mark) and kind.startswith("data:")
            return _line(data, names) if is_data else described(Image(name=address))
    for place in ("source", "inlineData"):
        inside = part.get(place)
        content = inside.get("data") if isinstance(inside, dict) else None
        if isinstance(content, str):
            return _line(content, names)
    return None


def _line(data: str, names: Mapping[str, str]) -> str:
    try:
        content = base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        return f"[{_UNNAMED}, {len(data):,} characters that are no base64]"
    read = header(content)
    name = names.get(sha256(content).hexdigest())
    about = f"{len(content):,} bytes" if read is None else facts(*read, len(content))
    return f"[{_UNNAMED} {name}, {about}]" if name else f"[{_UNNAMED}, {about}]"
