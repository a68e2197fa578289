"""The openai SDK, for OpenAI and for every other service that is spoken to through it."""

from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

from runner.providers._file_batch import FileBatch
from runner.providers._stainless import Sdk

if TYPE_CHECKING:
    from openai import OpenAI


class OpenAIFileBatch(FileBatch):
    """The openai SDK, on whichever address."""

    packages: ClassVar[tuple[str, ...]] = ("httpx2", "openai")
    _takes_openai_settings: ClassVar[bool] = False
    """Whether the organisation, project and headers in OPENAI_* variables are meant for it."""

    @cached_property
    def _sdk(self) -> Sdk:
        import httpx2
        import openai

        return Sdk(openai, httpx2, openai.OpenAIError)

    def _connect(self) -> "OpenAI":
        import openai

        client: OpenAI = self._sdk.connect(openai.OpenAI, openai.DefaultHttpx2Client, self._reached)
        if not self._takes_openai_settings:
            client.organization = client.project = None
            client._custom_headers = {}  # noqa: SLF001  # no other way leaves OPENAI_CUSTOM_HEADERS out; see test_insides_of_libraries
        return client
