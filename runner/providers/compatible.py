"""Any service that speaks OpenAI's dialect: vLLM, Ollama, llama.cpp, OpenRouter, a gateway."""

from dataclasses import replace
from typing import ClassVar

from runner.providers._openai_sdk import OpenAIFileBatch
from runner.providers.base import Secret, Service, missing_key

NO_KEY = "no-key"
"""What is sent to a server on this machine that wants no key; the SDK insists on one."""


class CompatibleBatch(OpenAIFileBatch):
    """OpenAI's dialect at an address that the user names."""

    default_base_url: ClassVar[str] = ""
    base_url_variable: ClassVar[str] = "COMPATIBLE_BASE_URL"
    key_variable: ClassVar[str] = "COMPATIBLE_API_KEY"

    @property
    def _reached(self) -> Service:
        service = self._service
        if service.key is None and service.on_this_machine:
            return replace(service, key=Secret(NO_KEY, service.headers.values()))
        return service

    @classmethod
    def missing(cls, service: Service) -> str | None:
        """Return what has to be set before the service can be used."""
        if not service.base_url:
            return (
                f"no address: set provider.base_url or {cls.base_url_variable}, "
                f"and {service.key_variable} unless it is on this machine"
            )
        return None if service.on_this_machine else missing_key(service)
