"""kluster.ai's adaptive batches, and whatever host still speaks as it did in 2025."""

from typing import ClassVar

from runner.providers._openai_sdk import OpenAIFileBatch


class KlusterBatch(OpenAIFileBatch):
    """OpenAI's dialect; times are words, and the window (`completion_window`) sets the price."""

    default_base_url: ClassVar[str] = "https://api.kluster.ai/v1"
    base_url_variable: ClassVar[str] = "KLUSTER_BASE_URL"
    key_variable: ClassVar[str] = "KLUSTERAI_API_KEY"
    fences: ClassVar[bool] = False
    """Its documents know no call that deletes a file."""
