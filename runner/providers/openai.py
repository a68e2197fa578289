"""OpenAI Batch."""

from collections.abc import Mapping
from typing import ClassVar

from runner.core.model import Model
from runner.providers import _responses
from runner.providers._chat import SETTLED
from runner.providers._dialects import OPENAI
from runner.providers._openai_sdk import OpenAIFileBatch
from runner.providers.base import Service


class OpenAIBatch(OpenAIFileBatch):
    """OpenAI itself; some of its models are asked through the Responses API alone."""

    dialect = OPENAI
    default_base_url: ClassVar[str] = "https://api.openai.com/v1"
    base_url_variable: ClassVar[str] = "OPENAI_BASE_URL"
    key_variable: ClassVar[str] = "OPENAI_API_KEY"
    settled: ClassVar[Mapping[str, str]] = SETTLED | _responses.SETTLED
    _takes_openai_settings = True

    def __init__(self, service: Service, model: Model, tag: str = "") -> None:
        """Keep the address and the model, which says how it is asked."""
        super().__init__(service, model, tag)
        if model.endpoint == _responses.NAME:
            self._endpoint, self._ask_path = _responses.ENDPOINT, _responses.ASK_PATH
