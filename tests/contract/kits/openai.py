"""OpenAI."""

from tests.contract.kits.file_batch import FileBatchKit

KITS = (FileBatchKit("openai", "/v1"),)
