"""The nouns: what an experiment is made of, and what is known of its batches and answers."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final, NamedTuple, NewType

from runner.core.states import FINAL_STATES, BatchEvent, BatchState, Outcome

CustomId = NewType("CustomId", str)
"""A request's name at the provider, `^[a-zA-Z0-9_-]{1,64}$`; it is never parsed back."""
Stem = NewType("Stem", str)
"""A condition's name: the custom_id without its trial, as `p1_t1`."""
BatchKey = NewType("BatchKey", str)
"""Our own name of a batch, as `b0001`."""
RemoteId = NewType("RemoteId", str)
"""The provider's name of a batch."""


class Variant(StrEnum):
    """Which wording of the prompt was sent."""

    PLAIN = "plain"
    ENHANCED = "enhanced"


class Enhance(StrEnum):
    """When the enhanced wording is used."""

    NEVER = "never"
    ALWAYS = "always"
    ON_RETRY = "on_retry"


Kept = str | int | float | bool | None
"""What a cell of a table may hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """One value of a factor."""

    id: str
    fields: Mapping[str, str] = field(default_factory=dict, repr=False)
    """What a prompt names, as `{factor.field}`; it is data and is never interpolated."""
    kept: Mapping[str, Kept] = field(default_factory=dict)
    """What stands in the tables beside the id, by field."""
    temperature: Decimal = Decimal(0)
    """What it adds to a calculated temperature."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Factor:
    """What is varied: one level of it is in every condition."""

    name: str
    levels: Mapping[str, Level]
    """By id, in the order in which they are asked."""
    main: str | None = None
    """The field that `{name}` stands for; None: the id."""
    from_files: bool = False
    """Whether each level is a file of its own, as in conf/persona/ and conf/text/."""
    sends: str | None = None
    """The setting of the request that its levels are, as `reasoning` or `parameters.top_p`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """Which levels come together; what is not named is crossed with everything."""

    paired: Mapping[str, str] = field(default_factory=dict)
    """A factor, and the one that it goes along with: the first level with the first, and so on."""
    only: tuple[tuple[str, ...], ...] | None = None
    """The combinations themselves, a level of each factor, where they come from a table."""
    between: tuple[str, ...] = ()
    """Factors of which each combination of the crossed ones gets one level, drawn by its ids."""
    seed: int = 1
    """Of that draw."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One turn of the conversation that is sent: `{factor.field}` is filled in."""

    role: str
    """system, user or assistant."""
    content: str = field(repr=False)
    images: tuple[str, ...] = ()
    """Pictures that stand before the text: files beside the experiment, or addresses; filled in, too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """A picture that messages show: what is known of it, and while a request is written, itself."""

    name: str
    """As a message says it: a file beside the experiment, or an address."""
    kind: str = ""
    """png, jpeg, gif or webp; empty: an address, of which nothing more is known."""
    width: int = 0
    height: int = 0
    bytes: int = 0
    sha256: str = ""
    tokens: int = 0
    """The most that the model which is asked may count for it."""
    path: str = ""
    """Where the file is; empty: it is an address."""
    data: str = field(default="", repr=False)
    """Its bytes in base64, while a request is written."""

    @property
    def media_type(self) -> str:
        """Return what it is called on the wire."""
        return f"image/{self.kind}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One of the answers that a question offers."""

    id: str
    """What the tables hold."""
    label: str = ""
    """What the form shows; empty: the id."""
    aliases: tuple[str, ...] = ()
    """What answers may call it beside that; they are only read, never sent."""

    @property
    def shown(self) -> str:
        """Return what a model is shown."""
        return self.label or self.id


class ItemKind(StrEnum):
    """What an answer to a question is."""

    NUMBER = "number"
    """A number between two bounds."""
    CHOICE = "choice"
    """One of some options."""
    CHOICES = "choices"
    """Several of some options."""
    RANK = "rank"
    """All options, in an order."""
    TEXT = "text"
    """Whatever the model says."""
    JSON = "json"
    """A value of JSON that a schema describes."""


BETWEEN = "; "
"""Stands between options where tables hold several."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One question, what may be answered, and perhaps a reason."""

    id: str
    label: str
    minimum: int | Decimal
    """Of what is no number: 1."""
    maximum: int | Decimal
    """Of a choice: how many options there are; a reading holds the number of the one chosen."""
    integer: bool
    reason_required: bool
    kind: ItemKind = ItemKind.NUMBER
    is_required: bool = True
    """Whether an answer without it has to be asked again."""
    aliases: tuple[str, ...] = ()
    """What answers may call it beside its label, as in another language."""
    asks_reason: bool = True
    """Whether the form asks for a reason at all."""
    ask: str = ""
    """The question in full, where the label is only its name."""
    options: tuple[Option, ...] = ()
    """Of a choice, choices and a rank, in the order in which they are shown."""
    at_least: int = 1
    """How many of its options choices may name, from here to `at_most`."""
    at_most: int = 0
    schema: str = field(default="", repr=False)
    """Of JSON: its JSON Schema, as JSON."""
    anchors: Mapping[int, str] = field(default_factory=dict)
    """What some of the numbers mean; they stand behind the question."""
    scale: str = ""
    """The scale of an inventory that it belongs to; this and what follows is never sent."""
    is_reversed: bool = False
    """Whether a high value means little of the scale."""
    expected: int | float | str | None = None
    """What an answer to an attention check has to be, as tables hold it."""

    def written(self, value: "Decimal | str | None") -> int | float | str | None:
        """Return a reading's value as tables hold it."""
        if value is None or isinstance(value, str):
            return value
        if self.kind is ItemKind.CHOICE:
            return self.options[int(value) - 1].id
        if self.kind in (ItemKind.CHOICES, ItemKind.RANK):
            return BETWEEN.join(self.options[place].id for place in chosen(value))
        return int(value) if self.integer else float(value)


_CODE = 1000
"""More than there may be options: each place of a list has three digits."""


def coded(places: Iterable[int]) -> Decimal:
    """Return a list of options, each by its place from 0, as one number; no option at all is 0."""
    code = 0
    for place in places:
        code = code * _CODE + place + 1
    return Decimal(code)


def chosen(code: Decimal) -> list[int]:
    """Return the places of the options that a number of `coded` stands for, in order."""
    rest, places = int(code), []
    while rest:
        rest, place = divmod(rest, _CODE)
        places.append(place - 1)
    return places[::-1]


class PatternKind(StrEnum):
    """Where a pattern looks."""

    LINE = "line"
    """At the beginning of a line, which names the question or, for a reason, belongs to the last."""
    HEADING = "heading"
    """A line that only names a question; what stands below belongs to it."""
    BELOW = "below"
    """A line that names no question and stands somewhere below a line that does."""
    NEXT = "next"
    """The line directly below one that names a question and holds no value itself."""
    TABLE = "table"
    """A table of markdown."""
    JSON = "json"
    """A JSON object."""
    SENTENCES = "sentences"
    """The whole answer, where no other pattern finds a number: all questions named, one number each."""

    @property
    def is_line(self) -> bool:
        """Tell whether a regular expression finds it."""
        return self not in (PatternKind.TABLE, PatternKind.JSON, PatternKind.SENTENCES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pattern:
    """A named regular expression; `{id}` and `{label}` stand for the question's own."""

    name: str
    regex: str = ""
    kind: PatternKind = PatternKind.LINE


NONE = "none"
"""In a slot's name: the one of choices that may be none at all."""
SLOTS: Mapping[ItemKind | str, str] = {
    ItemKind.CHOICES: "choose {count} of: {options}",
    NONE: "choose {count} of, or none: {options}",
    ItemKind.RANK: "put all in order, first to last: {options}",
    ItemKind.TEXT: "your own words",
    ItemKind.JSON: "a JSON object",
}


ITEM = "item"
"""The factor of a study that asks each question in a request of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionSet:
    """All questions of an experiment, the wordings that ask them and the patterns that read."""

    name: str
    questions: tuple[Question, ...]
    form: str
    """The lines a model is asked to fill in, for one question."""
    form_value: str = ""
    """The same for a question without a reason; empty: the same lines."""
    templates: Mapping[Variant, str]
    value_patterns: tuple[Pattern, ...]
    reason_patterns: tuple[Pattern, ...]
    end_patterns: tuple[Pattern, ...] = ()
    """Lines that end a reason when they follow a blank one, as a summary does."""
    refusal_patterns: tuple[Pattern, ...] = ()
    """Sentences that make an answer without any value a refusal."""
    value_words: tuple[str, ...] = ("数値", "value")
    """What announces a value, in lines, keys and the heads of tables."""
    reason_words: tuple[str, ...] = ("理由", "reason")
    slots: Mapping[ItemKind | str, str] = field(default_factory=lambda: SLOTS)
    """What the form shows in the place of an answer that is no single value."""
    each: bool = False
    """Whether a request asks one of them; the last factor, `ITEM`, says which."""
    kanji_numbers: bool = False
    """Whether 八十 is a number; its pattern then carries a name of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a provider takes in one batch, and at once; None means no limit is known."""

    requests: int
    bytes: int
    enqueued_tokens: int | None
    batches_in_flight: int | None
    margin: float
    """The share of each limit that is left unused."""
    results_days: int | None = None
    """How long results are kept, from when a batch was created."""
    min_requests: int | None = None
    """The fewest requests that a batch may have; what is asked one by one has no such limit."""


class Sampling(StrEnum):
    """What a model does with a temperature."""

    HONOURED = "honoured"
    IGNORED = "ignored"
    """Taken without a word, and without effect: a sweep would measure nothing."""
    REJECTED = "rejected"


CHAT: Final = "chat"
"""The interface through which models are asked that say nothing else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """The model asked, and what its service accepts."""

    provider: str
    name: str
    system_role: bool
    sampling: Sampling = Sampling.HONOURED
    temperature_min: Decimal
    temperature_max: Decimal
    max_output_tokens: int
    endpoint: str = CHAT
    """Through which of its service's interfaces it is asked: chat, or responses."""
    max_tokens_name: str = "max_completion_tokens"
    """What the cap on an answer is called in a chat completion."""
    expected_output_tokens: int
    """A guess for the low end of the cost estimate."""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    """More of the request's body, in the provider's own words; laid over ours, level by level."""
    arguments: tuple[str, ...] = ()
    """What the program is told that runs it, where that is one on the user's own machines."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """How a request is asked at one combination of levels that are settings of it."""

    model: Model
    temperature: Decimal | None = None
    """Where a level says it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """One combination of levels, and a temperature; a trial of it is a request."""

    stem: Stem
    levels: tuple[str, ...]
    """The id of one level of each factor, in the experiment's order of factors."""
    temperature: Decimal | None
    """None: no temperature is sent."""


class Order(StrEnum):
    """In which order something is shown."""

    FIXED = "fixed"
    RANDOM = "random"
    """A new one each trial."""
    LATIN = "latin"
    """Each in each place equally often."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shuffle:
    """What is shown in another order each trial."""

    items: Order = Order.FIXED
    options: Order = Order.FIXED
    seed: int = 1

    def __bool__(self) -> bool:
        """Tell whether anything is."""
        return Order.FIXED not in (self.items, self.options) or self.items is not self.options


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopping:
    """Until when a condition is asked again: until an item is known precisely enough."""

    least: int
    """Trials of each condition in any case, and valid values of one that is precise enough."""
    most: int
    """Trials of a condition at most."""
    half_width: float
    """Of the 95 % interval: of the item's mean, or of the share of a choice's most frequent option."""
    item: str
    """The question's id."""
    is_choice: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """The resolved configuration: what is asked of whom, how often."""

    name: str
    factors: Mapping[str, Factor]
    """By name, in the order in which they stand in a custom_id."""
    questions: QuestionSet
    model: Model
    temperatures: tuple[Decimal, ...] | None
    """The temperature factor; None when each condition has a calculated one or none."""
    calculated: bool
    trials: int
    """With a stopping rule, those of the first round."""
    enhance: Enhance
    design: Design = field(default_factory=Design)
    messages: tuple[Message, ...] = ()
    """What is sent; empty: the persona as the system message, the question set's wording as the user's."""
    shuffle: Shuffle = field(default_factory=Shuffle)
    sent: Mapping[tuple[str, ...], Sent] = field(default_factory=dict)
    """By the levels of the factors that send settings, in their order; empty where none does."""
    images: Mapping[str, Image] = field(default_factory=dict)
    """The pictures of all messages, by what a message says."""
    stopping: Stopping | None = None
    """None: every condition has the same number of trials."""

    @property
    def most_trials(self) -> int:
        """Return how many trials a condition may come to."""
        return self.trials if self.stopping is None else self.stopping.most

    def sent_key(self, levels: tuple[str, ...]) -> tuple[str, ...]:
        """Return those levels of a condition that are settings of the request."""
        pairs = zip(self.factors.values(), levels, strict=True)
        return tuple(level for factor, level in pairs if factor.sends)

    def model_at(self, levels: tuple[str, ...]) -> Model:
        """Return the model as it is asked with the levels of a condition."""
        return self.sent[self.sent_key(levels)].model if self.sent else self.model


@dataclass(frozen=True, slots=True)
class Span:
    """Consecutive trials of one condition inside a batch, first and last included."""

    stem: Stem
    first: int
    last: int
    variant: Variant

    def __len__(self) -> int:
        """Return the number of requests."""
        return self.last - self.first + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """What the model is told, before any provider's dialect."""

    system: str | None
    user: str
    """The last message, which is answered."""
    earlier: tuple[Message, ...] = ()
    """Turns between the two, as examples of answers."""
    images: tuple[str, ...] = ()
    """Pictures of the last message."""
    shown: Mapping[str, Image] = field(default_factory=dict, repr=False)
    """All pictures with their bytes, by name; only where a request is written."""

    @property
    def conversation(self) -> tuple[Message, ...]:
        """Return all turns but the system message."""
        last = Message(role="user", content=self.user, images=self.images)
        return (*self.earlier, last)

    def images_of(self, turn: Message) -> list[Image]:
        """Return the pictures of a turn, in order."""
        return [self.shown[name] for name in turn.images]


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens, as the provider counted them."""

    input_tokens: int = 0
    """All input, whatever a cache had of it."""
    output_tokens: int = 0
    """All output, with what was thought."""
    cache_read_tokens: int = 0
    """Of the input: what a cache had already."""
    cache_write_tokens: int = 0
    """Of the input: what was put into a cache, for minutes."""
    cache_write_1h_tokens: int = 0
    """Of the input: what was put into a cache for an hour."""

    def __add__(self, other: "Usage") -> "Usage":
        """Add up."""
        return Usage(
            input_tokens=self.input_tokens + other.input_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
            cache_read_tokens=self.cache_read_tokens + other.cache_read_tokens,
            cache_write_tokens=self.cache_write_tokens + other.cache_write_tokens,
            cache_write_1h_tokens=self.cache_write_1h_tokens + other.cache_write_1h_tokens,
        )


class ReplyKind(StrEnum):
    """What one result line says."""

    ANSWER = "answer"
    REFUSED = "refused"
    ERRORED = "errored"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    UNREADABLE = "unreadable"
    """Our custom_id, and something under it that no rule of ours reads."""
    DENIED = "denied"
    """Refused because of the account, whatever the request."""


@dataclass(slots=True, kw_only=True)
class Reply:
    """One result line, out of the provider's dialect; not frozen, which would make it slow to make."""

    custom_id: str
    kind: ReplyKind
    text: str = field(default="", repr=False)
    finish_reason: str | None = None
    """stop, length, content_filter or refusal; the provider's own word if it is another."""
    model: str | None = None
    usage: Usage | None = None
    """None: the provider did not say."""
    request_id: str | None = None
    answered_at: float | None = None
    """Seconds since the epoch, from the provider."""
    error: str | None = None
    echo: str | None = None
    """A digest of the prompt that the provider says it answered; None where it echoes none."""
    served_by: str | None = None
    """Whose machines answered, where a gateway says so."""
    charged_usd: float | None = None
    """What was charged for it, where the provider says so."""


class Cause(StrEnum):
    """Why a question has no value; a missing value is honest, a wrong one is fraud."""

    MISSING = "missing"
    OUT_OF_RANGE = "out_of_range"
    AMBIGUOUS = "ambiguous"
    NOT_A_NUMBER = "not_a_number"
    NOT_AN_OPTION = "not_an_option"
    """What stands there names none of the options, or not plainly."""
    NO_REASON = "no_reason"
    REFUSED = "refused"
    TRUNCATED = "truncated"
    BLOCKED = "blocked"
    OTHER_SCALE = "other_scale"
    """A number, but on a scale that is not the question's: 7 of 10 is not 7 of 100."""
    WRONG_COUNT = "wrong_count"
    """Options, but more or fewer of them than were asked for, or one twice."""
    NOT_VALID = "not_valid"
    """JSON that its schema does not allow, or none at all."""


class Reading(NamedTuple):
    """What was read of one question in one answer; a tuple, as there are millions of them."""

    value: Decimal | str | None
    """A number: of a choice its place from 1, of several options what `coded` makes of them."""
    reason: str | None
    pattern: str | None
    """The name of the pattern that found the value's place; None when none did."""
    cause: Cause | None
    """Why the reading is invalid; None when it is valid."""
    span: tuple[int, int] | None = None
    """Where in the answer the value stands, in characters."""
    written: tuple[str, ...] = ()
    """What stands there when it cannot be taken; both, when two numbers contradict each other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """What the provider says of a batch when asked."""

    state: str
    """The provider's own word."""
    event: BatchEvent
    """progress, end, deferred or refused."""
    total: int | None = None
    completed: int | None = None
    """Requests that were answered: each has a line in a result file once the batch has ended."""
    failed: int | None = None
    """Requests that came to something else which has a line there, as an error or an expiry."""
    files: Mapping[str, str] = field(default_factory=dict)
    """Result files by our name (output, error) and the provider's id."""
    expires_at: float | None = None
    message: str | None = None
    rest: Outcome = Outcome.MISSING
    """How requests that stand in no result file ended."""
    wait: float | None = None
    """Seconds after which the provider wants to be asked again; None when it does not say."""
    bound_usd: Decimal | None = None
    """The most it can come to by now, with what it has cost; None where that is not followed."""
    charged: Mapping[str, str] = field(default_factory=dict)
    """What it says that the whole batch came to, as `runner.core.charged` has it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Requests sent together, and all that is known of them but their answers."""

    key: BatchKey
    state: BatchState
    count: int
    bytes: int
    sha256: str
    """Of the request file, exactly as sent."""
    input_tokens: int
    """An estimate, before the provider counts."""
    reserved_usd: Decimal | None
    """The most it can cost; None when the price is unknown."""
    packed_at: float
    send: int = 1
    """How often its input was prepared for sending; part of the uploaded file's name."""
    handle: Mapping[str, str] = field(default_factory=dict)
    """What the provider gave us for the staged input, by the provider's own names."""
    remote: RemoteId | None = None
    dead: tuple[str, ...] = ()
    """Provider's ids that are known to have ended without running."""
    sent_at: float | None = None
    doubted_at: float | None = None
    """When it was clear that no reply would come; an order is not under way after this."""
    accepted_at: float | None = None
    ended_at: float | None = None
    collected_at: float | None = None
    fenced_at: float | None = None
    adopted: bool = False
    """The user said which of the provider's batches it is; its results have yet to prove it."""
    abandoned_at: float | None = None
    """When the user gave it up; the provider may bill it all the same."""
    next_at: float = 0.0
    """When to act on it again, in seconds since the epoch."""
    tries: int = 0
    """Failed or fruitless calls in a row, for the back-off."""
    looks: int = 0
    """How often a doubtful submission was looked for and not found, or result files did not hold
    what they should."""
    candidates: tuple[str, ...] = ()
    """Provider's batches that could be this one, while it cannot be told; it is not sent again."""
    twins: Mapping[str, str] = field(default_factory=dict)
    """Other batches that the service made of the same order, each with its `Fate`."""
    sought_at: float | None = None
    """When the provider's list was looked through for them, with its own batch known."""
    realtime: bool = False
    """Asked one by one, now and at full price, instead of as a batch."""
    polls: int = 0
    """Successful looks at the running batch; the wait between them grows with it."""
    polled_at: float | None = None
    remote_state: str | None = None
    total: int | None = None
    completed: int | None = None
    failed: int | None = None
    files: Mapping[str, str] = field(default_factory=dict)
    rest: str = "missing"
    """How requests that stand in no result file ended, as the provider's last word has it."""
    raw: Mapping[str, str] = field(default_factory=dict)
    """sha256 of each stored result file, by name."""
    unsettled_at: float | None = None
    """Since when the provider contradicts itself about its end, or does not know it any more."""
    is_stale: bool = False
    """What is known of its end was found wanting: the provider is asked before the next download."""
    downloads: Mapping[str, str] | None = None
    """sha256 of each result file as it came last, while something is lacking in them."""
    found: int = 0
    """Requests that the result files spoke of so far, while something is lacking in them."""
    held_at: float | None = None
    """Since when what it lacks is no longer waited for; it is still looked at, and never asked again."""
    expires_at: float | None = None
    """When the provider's window closes."""
    kept_until: float | None = None
    """When the provider throws the results away."""
    error: str | None = None
    tally: Mapping[str, int] = field(default_factory=dict)
    """How many attempts ended how."""
    patterns: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """Matches by question and pattern, over every answer read."""
    causes: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """Invalid readings by question and cause."""
    notices: Mapping[str, int] = field(default_factory=dict)
    """Oddities of the result files: duplicate, conflicting, unknown, unreadable lines."""
    usage: Usage = Usage()
    """Of the answers whose tokens the provider counted."""
    cost_usd: Decimal | None = None
    """What all its attempts cost; None as long as that is not known of every one."""
    known_usd: Decimal | None = None
    """What those attempts cost of which it is known; None when the price is unknown."""
    cost_unknown: int = 0
    """Attempts that may be billed at an unknown cost."""
    held_usd: Decimal = Decimal(0)
    """The most that those may cost: it stays reserved."""
    bound_usd: Decimal | None = None
    """The most it can come to by now, with what it has cost; None where that is not followed."""
    models: Mapping[str, int] = field(default_factory=dict)
    """How many answers came under which model's name, as the provider returned it."""
    charged: Mapping[str, str] = field(default_factory=dict)
    """What the provider says that the whole batch came to; a check of our own sums."""

    @property
    def is_held(self) -> bool:
        """Tell whether it is open, and this run does not wait for it."""
        return self.held_at is not None and self.state not in FINAL_STATES


JsonObject = dict[str, Any]
"""A decoded JSON object, before its shape is checked."""
