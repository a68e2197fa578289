"""Tells the languages whose doubts and denials are known from all others."""

import re
import unicodedata

from runner.core.extract.phrases import ANCHORS, ENGLISH
from runner.core.extract.regex import regex


def is_understood(sentence: str) -> bool:
    """Tell whether a sentence is in a language whose doubts are known: English or Japanese."""
    if any(unicodedata.category(sign) in _DIGITS and not sign.isascii() for sign in sentence):
        return False
    if not _LETTER.search(sentence) or _ANCHORS.fullmatch(sentence):
        return True
    if _HIRAGANA.search(sentence):
        return _NOT_JAPANESE.search(sentence) is None
    return _NOT_ENGLISH.search(sentence) is None and ENGLISH.search(sentence) is not None


_LETTER = regex(r"[^\W\d_]")
_DIGITS = ("Nd", "Nl", "No")
_ANCHORS = regex(rf"[\s\-:,()\"]*{ANCHORS}[\s()\"]*", re.IGNORECASE)
_HIRAGANA = regex(r"[\u3041-\u3096]")
_NOT_JAPANESE = regex(r"(?![a-zA-Z\u3041-\u30ff\u3400-\u9fff々〆ヶ])[^\W\d_]")
_NOT_ENGLISH = regex(r"(?![a-zA-Z])[^\W\d_]")
