"""Pictures for tests, of every kind, and a study that shows some."""

import io
from pathlib import Path

from PIL import Image

FORMATS = {"png": "PNG", "jpeg": "JPEG", "gif": "GIF", "webp": "WEBP"}

STUDY = """\
# @package _global_
defaults:
  - override /question: english
name: pictures
factors:
  picture: {file: pictures.csv, id: id}
trials: 2
temperatures: null
messages:
  - role: user
    images: ["{picture.file}"]
    content: "What do you see?\\n\\n{items}"
items:
  mood: {kind: number, ask: How cheerful is it?, minimum: 1, maximum: 7}
"""
ROWS = "id,file\na,photos/a.png\nb,photos/b.jpg\nc,photos/c.webp\n"


def picture(kind: str, width: int = 64, height: int = 48, shade: int = 9, **how: object) -> bytes:
    into = io.BytesIO()
    Image.new("RGB", (width, height), (shade, 50, 90)).save(into, FORMATS[kind], **how)
    return into.getvalue()


def study(home: Path, text: str = STUDY, rows: str = ROWS) -> Path:
    """Write the study into a configuration's folder, and return the folder of its files."""
    folder = home / "experiment"
    (folder / "photos").mkdir(parents=True, exist_ok=True)
    (folder / "pictures.yaml").write_text(text, encoding="utf-8")
    (folder / "pictures.csv").write_text(rows, encoding="utf-8")
    (folder / "photos" / "a.png").write_bytes(picture("png", 640, 480))
    (folder / "photos" / "b.jpg").write_bytes(picture("jpeg", 800, 600))
    (folder / "photos" / "c.webp").write_bytes(picture("webp", 300, 200))
    return folder
