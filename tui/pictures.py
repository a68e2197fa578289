"""The pictures of a request, of any provider, as a line that names them."""

import base64
import binascii
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from runner.core.images import described, facts, header
from runner.core.model import Image
from tui.language import later, tr

_UNNAMED = later("image")


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
        return tr("[image, {count:,} characters that are no base64]", count=len(data))
    read = header(content)
    name = names.get(sha256(content).hexdigest())
    about = (
        tr("{count:,} bytes", count=len(content)) if read is None else facts(*read, len(content))
    )
    image = tr(_UNNAMED)
    return f"[{image} {name}, {about}]" if name else f"[{image}, {about}]"
