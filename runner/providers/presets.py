"""Services that speak OpenAI's dialect of batches: what is known of each, and nothing else.

Each is `compatible` with an address and the name of a variable for its key, so that a key goes
nowhere but where it belongs. Sources stand in their YAML.
"""

from typing import ClassVar

from runner.providers._openai_sdk import OpenAIFileBatch


class DashScopeBatch(OpenAIFileBatch):
    """Alibaba Cloud Model Studio: Qwen."""

    default_base_url: ClassVar[str] = "https://dashscope-intl.aliyuncs.com/compatible-mode/v1"
    base_url_variable: ClassVar[str] = "DASHSCOPE_BASE_URL"
    key_variable: ClassVar[str] = "DASHSCOPE_API_KEY"


class DeepInfraBatch(OpenAIFileBatch):
    """DeepInfra."""

    default_base_url: ClassVar[str] = "https://api.deepinfra.com/v1/openai"
    base_url_variable: ClassVar[str] = "DEEPINFRA_BASE_URL"
    key_variable: ClassVar[str] = "DEEPINFRA_API_KEY"


class DoublewordBatch(OpenAIFileBatch):
    """Doubleword; the window (`completion_window`) sets the price."""

    default_base_url: ClassVar[str] = "https://api.doubleword.ai/v1"
    base_url_variable: ClassVar[str] = "DOUBLEWORD_BASE_URL"
    key_variable: ClassVar[str] = "DOUBLEWORD_API_KEY"


class MoonshotBatch(OpenAIFileBatch):
    """Moonshot AI: Kimi."""

    default_base_url: ClassVar[str] = "https://api.moonshot.ai/v1"
    base_url_variable: ClassVar[str] = "MOONSHOT_BASE_URL"
    key_variable: ClassVar[str] = "MOONSHOT_API_KEY"


class NovitaBatch(OpenAIFileBatch):
    """Novita AI; its states are in capitals."""

    default_base_url: ClassVar[str] = "https://api.novita.ai/openai/v1"
    base_url_variable: ClassVar[str] = "NOVITA_BASE_URL"
    key_variable: ClassVar[str] = "NOVITA_API_KEY"


class ZaiBatch(OpenAIFileBatch):
    """Z.ai and Zhipu: GLM."""

    default_base_url: ClassVar[str] = "https://open.bigmodel.cn/api/paas/v4"
    base_url_variable: ClassVar[str] = "ZAI_BASE_URL"
    key_variable: ClassVar[str] = "ZAI_API_KEY"
    _endpoint: str = "/v4/chat/completions"
