"""`action=sample`: readings of a run for somebody to check, drawn from its ledger, also while it runs."""

from contextlib import closing

from runner.core.errors import ConfigError
from runner.run.run import Run
from runner.storage.reader import LedgerReader, exists
from runner.tables import audit
from runner.tables.items import allowed_of, items_in
from runner.tables.join import Join


def sample(run: Run) -> audit.Sampled:
    """Write a sheet of some of a run's readings into its folder.

    Raises:
        ConfigError: there is no run, no answer yet, or a sheet already.
    """
    folder, config = run.folder(sending=False), run.settings.config.sample
    if not exists(folder):
        raise ConfigError(f"{folder}: no run yet: there is nothing to check; run it first")
    questions = run.settings.experiment.questions
    with closing(LedgerReader(folder)) as reader:
        with reader.moment():
            states, batches, record = run.standing(reader), reader.batches(), reader.experiment()
        join = Join(folder, record, questions, batches, states)
        items = items_in(run.definition)
        asked = {
            q.id: f"{q.ask or q.label} ({allowed_of(items[q.id])[1]})" for q in questions.questions
        }
        return audit.sample(join.answers(), asked, folder, n=config.n, seed=config.seed)
