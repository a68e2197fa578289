"""OpenAI Batch."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Final

import orjson

from runner.core.model import Model
from runner.providers import _responses
from runner.providers._chat import SETTLED
from runner.providers._dialects import OPENAI
from runner.providers._file_batch import WindowOptions
from runner.providers._openai_sdk import OpenAIFileBatch
from runner.providers.base import Service

USUAL: Final = "default"
"""The tier that is asked when nothing is said."""


@dataclass(frozen=True, kw_only=True)
class OpenAIOptions(WindowOptions):
    """Of which tier single requests are asked; batches have a price of their own."""

    choices: ClassVar[Mapping[str, tuple[str, ...]]] = {"service_tier": (USUAL, "flex")}
    service_tier: str = USUAL

    @property
    def tier(self) -> str | None:
        """The tier, where it is not the usual one."""
        return None if self.service_tier == USUAL else self.service_tier


class OpenAIBatch(OpenAIFileBatch):
    """OpenAI itself; some of its models are asked through the Responses API alone."""

    Options: ClassVar[type[OpenAIOptions]] = OpenAIOptions
    dialect = OPENAI
    default_base_url: ClassVar[str] = "https://api.openai.com/v1"
    base_url_variable: ClassVar[str] = "OPENAI_BASE_URL"
    key_variable: ClassVar[str] = "OPENAI_API_KEY"
    settled: ClassVar[Mapping[str, str]] = (
        SETTLED | _responses.SETTLED | {"service_tier": "use provider.service_tier=…"}
    )
    _takes_openai_settings = True

    def __init__(self, service: Service, model: Model, tag: str = "") -> None:
        """Keep the address and the model, which says how it is asked."""
        super().__init__(service, model, tag)
        if model.endpoint == _responses.NAME:
            self._endpoint, self._ask_path = _responses.ENDPOINT, _responses.ASK_PATH

    def ask(self, line: bytes) -> bytes:
        """Ask one request now, of the tier that was chosen."""
        if tier := self._service.told(OpenAIOptions).tier:
            request = orjson.loads(line)
            request["body"]["service_tier"] = tier
            line = orjson.dumps(request)
        return super().ask(line)
