"""OpenAI Batch."""

from typing import ClassVar

from runner.providers._openai_sdk import OpenAIFileBatch


class OpenAIBatch(OpenAIFileBatch):
    """OpenAI itself."""

    default_base_url: ClassVar[str] = "https://api.openai.com/v1"
    base_url_variable: ClassVar[str] = "OPENAI_BASE_URL"
    key_variable: ClassVar[str] = "OPENAI_API_KEY"
    _takes_openai_settings = True
