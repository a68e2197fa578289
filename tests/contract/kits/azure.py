"""Azure OpenAI."""

from tests.contract.kits.file_batch import FileBatchKit

KITS = (FileBatchKit("azure", "/azure/openai/v1"),)
