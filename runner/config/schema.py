"""The shape of conf/: one dataclass a file, which Hydra checks every key and type against."""

from dataclasses import dataclass, field
from typing import Any

from omegaconf import MISSING

GROUPS = ("provider", "question", "faults", "persona", "text", "service", "experiment")
"""The folders of conf/ from which files are chosen."""
LIVE, REHEARSED = "dataset", "dataset_rehearsal"
"""Folders of outputs/ beside those of the experiments, whose names no experiment may have."""
EMULATOR = "emulator"
"""The provider's name that always means a rehearsal."""
WORDS = {"type": "nothing, one word, or several"}
TRIALS = {"type": "a whole number, or a rule"}
ROWS = {"type": "rows of ModelConfig"}
LABELS = {"type": "a text, or one a language"}
"""Mark settings that OmegaConf has no type for, or is not told: it would copy each row with each file."""


@dataclass
class PersonaConfig:
    """conf/persona/*.yaml."""

    name: str = MISSING
    label: Any = field(default="", metadata=LABELS)
    system: str = MISSING
    temperature: float = MISSING


@dataclass
class TextConfig:
    """conf/text/*.yaml."""

    title: str = MISSING
    label: Any = field(default="", metadata=LABELS)
    author: str = MISSING
    year: str = ""
    file: str = MISSING
    temperature_modifier: float = 0.0


@dataclass
class ItemConfig:
    """One question of conf/question/*.yaml, or of `items` in an experiment."""

    label: Any = field(default="", metadata=LABELS)
    ask: str = ""
    kind: str = "number"
    options: Any = field(default=None, metadata=WORDS)
    at_least: int | None = None
    at_most: int | None = None
    schema: Any = None
    anchors: dict[str, str] = field(default_factory=dict)
    minimum: float = 0
    maximum: float = 100
    integer: bool = True
    required: bool = True
    scale: str = ""
    reverse: bool = False
    expect: str | None = None
    reason: bool | None = None
    reason_required: bool = True
    aliases: list[str] = field(default_factory=list)


@dataclass
class PatternConfig:
    """One pattern of conf/question/*.yaml."""

    name: str = MISSING
    regex: str = ""
    kind: str = "line"


@dataclass
class QuestionConfig:
    """conf/question/*.yaml."""

    name: str = MISSING
    items: dict[str, ItemConfig] = field(default_factory=dict)
    form: str = MISSING
    form_value: str = ""
    plain: str = MISSING
    enhanced: str = MISSING
    value_patterns: list[PatternConfig] = field(default_factory=list)
    reason_patterns: list[PatternConfig] = field(default_factory=list)
    end_patterns: list[PatternConfig] = field(default_factory=list)
    refusal_patterns: list[PatternConfig] = field(default_factory=list)
    value_words: list[str] = field(default_factory=lambda: ["数値", "value"])
    reason_words: list[str] = field(default_factory=lambda: ["理由", "reason"])
    slots: dict[str, str] = field(default_factory=dict)
    kanji_numbers: bool = False
    lang: str = ""
    answer: str = "text"
    plain_json: str = ""
    enhanced_json: str = ""


@dataclass
class MessageConfig:
    """One of `messages`."""

    role: str = MISSING
    content: str = MISSING
    images: list[str] = field(default_factory=list)


@dataclass
class LimitsConfig:
    """What a provider takes."""

    requests: int = MISSING
    bytes: int = MISSING
    enqueued_tokens: int | None = None
    batches_in_flight: int | None = None
    results_days: int | None = None
    min_requests: int | None = None
    margin: float = 0.05


@dataclass
class TokenPriceConfig:
    """List prices of one model in US dollars a million tokens, and who says so."""

    input: float = MISSING
    output: float = MISSING
    source: str = MISSING
    checked: str = MISSING


@dataclass
class PriceConfig:
    """Where the list price comes from, and what the batch API takes off."""

    source: str | None = None
    batch_discount: float = 0.0
    checked: str = ""
    per_million: dict[str, TokenPriceConfig] = field(default_factory=dict)


@dataclass
class EndsConfig:
    """From which day on a model is not answered with any more, and who says so."""

    date: str = MISSING
    source: str = MISSING
    successor: str | None = None


@dataclass
class ReasoningConfig:
    """How much a model can be told to reason, and what it does when it is told nothing."""

    how: str | None = None
    levels: list[str] = field(default_factory=list)
    default: str | None = None


@dataclass
class WhenConfig:
    """With which setting something holds."""

    reasoning: str = MISSING


@dataclass
class ModelConfig:
    """What the models of a name, or of a pattern of names, accept."""

    match: str = MISSING
    endpoint: str = "chat"
    ends: EndsConfig | None = None
    sampling: str = "honoured"
    honoured_when: WhenConfig | None = None
    reasoning: ReasoningConfig = field(default_factory=ReasoningConfig)
    system_role: bool | None = None
    max_tokens: str | None = None
    structured_output: bool = False
    images: bool | None = None
    temperature_max: float | None = None
    parameters: dict[str, Any] = field(default_factory=dict)


@dataclass
class RealtimeConfig:
    """How fast single requests are asked."""

    concurrency: int = 8
    requests_per_minute: int | None = None


@dataclass
class ProviderConfig:
    """conf/provider/*.yaml: what every provider has; runner.config.options adds what one alone has."""

    _target_: str = MISSING
    name: str = MISSING
    model: str = MISSING
    api_key_env: str = MISSING
    trust: Any = field(default=None, metadata=WORDS)
    base_url: str | None = None
    headers: dict[str, str] = field(default_factory=dict)
    emulator_path: str | None = None
    mode: str = "batch"
    timeout_seconds: float = 60
    settle_seconds: float = 120
    enhance: str = "on_retry"
    dialect: str | None = None
    system_role: bool = True
    images: bool = False
    max_tokens: str = "max_completion_tokens"
    temperature_min: float = 0.0
    temperature_max: float = 2.0
    max_output_tokens: int = MISSING
    expected_output_tokens: int = MISSING
    reasoning: str | None = None
    parameters: dict[str, Any] = field(default_factory=dict)
    realtime: RealtimeConfig = field(default_factory=RealtimeConfig)
    models: list[Any] = field(default_factory=list, metadata=ROWS)
    limits: LimitsConfig = field(default_factory=LimitsConfig)
    price: PriceConfig = field(default_factory=PriceConfig)


@dataclass
class ServiceConfig:
    """conf/service/*.yaml."""

    emulated: bool = False


@dataclass
class FaultsConfig:
    """conf/faults/*.yaml: how the emulator behaves; it documents each key."""

    seed: int = 1
    validating_seconds: float = 0.3
    in_progress_seconds: float = 1.0
    finalizing_seconds: float = 0.2
    malformed: float = 0.08
    malformed_enhanced: float = 0.02
    http_429: float = 0.0
    http_500: float = 0.0
    lost_create_reply: float = 0.0
    failed_create_reply: float = 0.0
    late_list_seconds: float = 0.0
    shuffle: bool = False
    missing_lines: float = 0.0
    duplicate_lines: float = 0.0
    unknown_lines: float = 0.0
    failed_lines: float = 0.0
    half_expired: float = 0.0
    token_limit: float = 0.0
    truncated_downloads: float = 0.0
    enqueued_token_limit: int | None = None
    all_failed: bool = False


@dataclass
class PromptConfig:
    """When the stricter wording is used."""

    enhance: str = "on_retry"


@dataclass
class ShuffleConfig:
    """What each trial shows in another order."""

    items: Any = field(default=False, metadata=WORDS)
    options: Any = field(default=False, metadata=WORDS)
    seed: int = 1


@dataclass
class UntilConfig:
    """When a condition is precise enough."""

    half_width: float = MISSING
    of: str = MISSING
    per: str = "condition"


@dataclass
class TrialsConfig:
    """How often a condition is asked, where a rule says so."""

    min: int = MISSING
    max: int = MISSING
    until: UntilConfig = MISSING


@dataclass
class PilotConfig:
    """What goes first, and how much of it has to be valid before the rest goes; all null: nothing."""

    share: float | None = None
    at_least: int | None = None
    valid: float | None = None


@dataclass
class RetryConfig:
    """How often a request is asked."""

    max_attempts: int = 3
    max_lost: int = 5
    mode: str = "batch"


@dataclass
class BudgetConfig:
    """What a run may cost."""

    max_usd: float = 5.0
    allow_unknown: bool = False


@dataclass
class LedgerConfig:
    """Where ledgers are kept."""

    shared: bool = False


@dataclass
class FigureConfig:
    """As what the report's figures are written."""

    format: Any = field(default=None, metadata=WORDS)
    width_mm: float | None = None
    dpi: float | None = None
    font: str | None = None


@dataclass
class ReportConfig:
    """action=report: over which runs, and how."""

    over: Any = field(default=None, metadata=WORDS)
    lang: str = "en"
    rehearsals: bool = False
    folder: str | None = None
    figure: FigureConfig = field(default_factory=FigureConfig)
    table_format: Any = field(default=None, metadata=WORDS)
    bootstrap: int | None = None
    """Of no use any more, as seed: intervals are computed, not drawn; a saved command still works."""
    seed: int | None = None


@dataclass
class SampleConfig:
    """action=sample: how many readings, and which."""

    n: int = 50
    seed: int = 1


@dataclass
class ExportConfig:
    """action=export: more tables, in other shapes."""

    format: Any = field(default=None, metadata=WORDS)
    over: Any = field(default=None, metadata=WORDS)
    rehearsals: bool = False
    dataset: bool = True


@dataclass
class PollConfig:
    """How often the provider is asked."""

    first_seconds: float = 5.0
    max_seconds: float = 60.0
    max_retry_after_seconds: float = 900.0
    settle_seconds: float | None = None


@dataclass
class Config:
    """conf/config.yaml, whole.

    `batch` and `remote` are for adopt and abandon, `input` for import, extract and patterns, `kind`
    and `lang` for init.
    """

    name: str = MISSING
    action: str = "run"
    trials: Any = field(default=10, metadata=TRIALS)
    pilot: PilotConfig | None = field(default_factory=PilotConfig)
    personas: list[str] | None = None
    texts: list[str] | None = None
    temperatures: Any = "calculated"
    factors: dict[str, Any] = field(default_factory=dict, metadata=WORDS)
    data: dict[str, str] = field(default_factory=dict)
    design: dict[str, Any] = field(default_factory=dict, metadata=WORDS)
    messages: list[MessageConfig] = field(default_factory=list)
    items: dict[str, ItemConfig] = field(default_factory=dict)
    ask: str = "together"
    shuffle: ShuffleConfig = field(default_factory=ShuffleConfig)
    wait: bool = True
    deadline: str | None = None
    notify: Any = field(default=None, metadata=WORDS)
    batch: str | None = None
    remote: str | None = None
    input: str | None = None
    kind: str = "texts"
    lang: str = "en"
    apply: bool = False
    fork: bool = False
    outputs: str = "outputs"
    format: str = "text"
    prompt: PromptConfig = field(default_factory=PromptConfig)
    retry: RetryConfig = field(default_factory=RetryConfig)
    budget: BudgetConfig = field(default_factory=BudgetConfig)
    ledger: LedgerConfig = field(default_factory=LedgerConfig)
    poll: PollConfig = field(default_factory=PollConfig)
    report: ReportConfig = field(default_factory=ReportConfig)
    export: ExportConfig = field(default_factory=ExportConfig)
    sample: SampleConfig = field(default_factory=SampleConfig)
    provider: ProviderConfig = field(default_factory=ProviderConfig)
    service: ServiceConfig = field(default_factory=ServiceConfig)
    faults: FaultsConfig = field(default_factory=FaultsConfig)
    question: QuestionConfig = field(default_factory=QuestionConfig)
    persona: dict[str, PersonaConfig] = field(default_factory=dict)
    text: dict[str, TextConfig] = field(default_factory=dict)
