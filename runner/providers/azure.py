"""Azure OpenAI: OpenAI's batches at a resource of one's own, and models under a deployment's name.

Wire facts: learn.microsoft.com/azure/foundry/openai/how-to/batch, 2026-10.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, Final, Self

from runner.core.errors import ProviderBusy, ProviderRefused
from runner.core.model import Batch, Condition, Prompt, RemoteId
from runner.providers._chat import request_frame
from runner.providers._file_batch import WindowOptions
from runner.providers._openai_sdk import OpenAIFileBatch
from runner.providers.base import Frame, Service, missing_key

_NOT_YET: Final = re.compile(r"'(?:pending|uploaded|running|notrunning)' state", re.IGNORECASE)
"""How an order is refused whose input the service has not looked through yet."""


@dataclass(frozen=True, kw_only=True)
class AzureOptions(WindowOptions):
    """What the resource calls the model."""

    deployment: str | None = None
    """The Global-Batch deployment that is asked; None: it is called as the model is."""

    def emulated(self) -> Self:
        """Return what the emulator has of it: no deployments; models go by their own names."""
        return replace(self, deployment=None)


class AzureBatch(OpenAIFileBatch):
    """OpenAI's dialect; a file can be ordered some seconds after it was uploaded."""

    Options: ClassVar[type[AzureOptions]] = AzureOptions
    default_base_url: ClassVar[str] = ""
    base_url_variable: ClassVar[str] = "AZURE_OPENAI_BASE_URL"
    key_variable: ClassVar[str] = "AZURE_OPENAI_API_KEY"

    @classmethod
    def missing(cls, service: Service) -> str | None:
        """Return what has to be set before the service can be used."""
        if not service.base_url:
            return (
                f"no address: set provider.base_url or {cls.base_url_variable} to "
                f"https://RESOURCE.openai.azure.com/openai/v1, and {service.key_variable}"
            )
        return missing_key(service)

    def encode(self, condition: Condition, prompt: Prompt) -> Frame:
        """Return the request line of a condition, in which the model goes by its deployment's name."""
        deployment = self._service.told(AzureOptions).deployment
        model = replace(self._model, name=deployment or self._model.name)
        return request_frame(model, condition, prompt)

    def submit(self, batch: Batch, path: Path, labels: Mapping[str, str]) -> RemoteId:
        """Create the batch; sent once, and again only where the service says that it waits."""
        try:
            return super().submit(batch, path, labels)
        except ProviderRefused as refusal:
            if _NOT_YET.search(str(refusal)):
                raise ProviderBusy(str(refusal)) from None
            raise
