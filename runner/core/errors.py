"""Every exception this project raises, as one tree.

RunnerError                    says what happened, to what, and what to do next
├─ ConfigError                 wrong before anything was sent; names the file and the key
├─ ProviderError               a service said no, or nothing; never carries a key
│  ├─ ProviderBusy             a definite "not now": try later
│  ├─ ProviderRefused          a definite no: asking again will not help
│  ├─ ProviderSilent           no answer: it may have happened
│  ├─ ProviderReplyUnreadable  the reply is not what the service documents
│  └─ ProviderUndecided        several batches could be ours; which one, time will tell
├─ LedgerError
│  ├─ LedgerBusy               locked by another program at this moment
│  ├─ LedgerInUse              another runner holds it
│  ├─ LedgerDamaged            missing, empty, foreign or broken
│  │  └─ LedgerOutdated        an older copy than the files beside it
│  ├─ LedgerFormatUnknown      written by another version
│  └─ LedgerOfAnotherExperiment  the same name, but other prompts, texts or parameters
├─ CrewLost                    a process that worked beside this one died
└─ IllegalTransition           our own bug: a step the state tables do not have
"""


class RunnerError(Exception):
    """Something went wrong; the message says what, and what to do next."""

    def __init__(self, message: str | None = None) -> None:
        """Use the class docstring when no message is given."""
        super().__init__(message or (self.__doc__ or "").strip())


class ConfigError(RunnerError):
    """The configuration is wrong; nothing was written and nothing was sent."""


class ProviderError(RunnerError):
    """The provider did not do what was asked."""

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        """Keep the wait the provider asked for, in seconds, if it named one."""
        super().__init__(message)
        self.retry_after = retry_after


class ProviderBusy(ProviderError):
    """The provider said 'not now'; nothing was done there."""


class ProviderRefused(ProviderError):
    """The provider said no; nothing was done there."""

    def __init__(self, message: str, *, forgotten: bool = False) -> None:
        """Keep whether it does not know what it was asked about, or has thrown it away."""
        super().__init__(message)
        self.forgotten = forgotten


class ProviderSilent(ProviderError):
    """The provider did not answer; what was asked may have happened all the same."""


class ResultFileShort(ProviderSilent):
    """A result file came shorter than the provider's record of it says; what came is written."""


class ProviderReplyUnreadable(ProviderError):
    """The provider's reply is not what its documents say."""


class ProviderUndecided(ProviderError):
    """What was asked for may be one of several batches, and which one cannot be told yet."""

    def __init__(self, message: str, candidates: tuple[str, ...]) -> None:
        """Keep the provider's ids of the batches it may be."""
        super().__init__(message)
        self.candidates = candidates


class LedgerError(RunnerError):
    """The ledger cannot be used."""


class LedgerBusy(LedgerError):
    """Another program keeps the file to itself at this moment: look again."""


class LedgerInUse(LedgerError):
    """Another runner is working on this experiment."""


class LedgerDamaged(LedgerError):
    """The ledger is missing, empty, foreign or broken."""


class LedgerOutdated(LedgerDamaged):
    """The ledger is an older copy: files beside it tell of what it does not know."""


class LedgerFormatUnknown(LedgerError):
    """The ledger was written by another version of this program."""


class LedgerOfAnotherExperiment(LedgerError):
    """This folder belongs to an experiment with other prompts, texts or parameters."""


class CrewLost(RunnerError):
    """A process that worked beside this one died; nothing was lost, run the command again."""


class IllegalTransition(RunnerError):
    """A step that the state tables do not have: a bug of this program."""
