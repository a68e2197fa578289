"""OpenAI."""

from tests.contract.kits.file_batch import FileBatchKit


class OpenAIKit(FileBatchKit):
    """OpenAI itself."""

    asks = "gpt-4o-mini"


KITS = (OpenAIKit("openai", "/v1"),)
