"""The rows of the tables, some thousand at a time: which attempt counts for each request, and its text.

Of all attempts only numbers are kept; texts are read from the parts when their rows are written.
"""

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from runner.batches.attempts import (
    GATEWAY,
    HEAD,
    TAIL,
    all_parts,
    columns,
    question_columns,
    read_part,
)
from runner.core.attempt_order import OTHERS, STARTS, order_of, place_of
from runner.core.definition import asks_each, cells_in, factors_in, shuffled_in, varied_in
from runner.core.errors import LedgerDamaged
from runner.core.model import ITEM, Batch, QuestionSet
from runner.core.orders import Shuffled
from runner.core.request_rows import PENDING, STATES, WITHHELD, Trials
from runner.core.request_states import RequestStates, even
from runner.core.states import BatchState, Outcome, RequestState
from runner.tables import custom_ids
from runner.tables.parquet import ROWS_A_CHUNK
from runner.tables.scales import scores

Numbers = NDArray[np.int64]
"""Requests or attempts, by their number in the order of the request_states or of the parts."""


class Join:
    """The tables of one run, as streams of frames; each can be read more than once."""

    def __init__(
        self,
        folder: Path,
        experiment: Mapping[str, Any],
        questions: QuestionSet,
        batches: Iterable[Batch],
        request_states: RequestStates,
        *,
        rows_a_chunk: int = ROWS_A_CHUNK,
    ) -> None:
        """Look through all attempts once; no text is read.

        Args:
            folder: the run's folder.
            experiment: the ledger's own record of what the experiment is.
            questions: what was asked.
            batches: of the ledger.
            request_states: how every request stands.
            rows_a_chunk: how many answers are in memory at a time.

        Raises:
            LedgerDamaged: a part speaks of a request that its batch does not have.
        """
        self._asked = _Asked(experiment)
        self._scores = tuple(scores(experiment["definition"]))
        self._questions = questions
        self._request_states = request_states
        self._rows_a_chunk = rows_a_chunk
        collected = [batch for batch in batches if batch.state is BatchState.COLLECTED]
        self._about = _about(collected)
        self._parts = _StoredAttempts(folder, collected, questions)
        self._index = _Index(self._parts, request_states)

    def attempts(self) -> Iterator[pl.DataFrame]:
        """Yield one row per attempt that was collected, in the order they were sent."""
        yield self._rows(pl.DataFrame(schema=self._parts.schema), [])
        for number in range(len(self._parts.paths)):
            yield self._attempts_of(number)

    def refused(self) -> Iterator[pl.DataFrame]:
        """Yield the attempts that were refused or ended in an error."""
        for number in self._index.with_errors:
            yield self._attempts_of(number).filter(pl.col("outcome").is_in(_ERRORS))

    def answers(self) -> Iterator[pl.DataFrame]:
        """Yield one row per request: its factors, and the attempt that counts.

        Which one counts stands in `core.attempt_order`.
        Requests outside the present configuration are in it once they were answered or sent.
        """
        yield self._answered(self._asked.requests([]))
        for slices in _slices(self._request_states, self._rows_a_chunk):
            yield self._answered(self._asked.requests(slices))

    def _attempts_of(self, number: int) -> pl.DataFrame:
        begin, end = self._parts.starts[number : number + 2]
        return self._rows(self._parts.read(number), self._index.attempt[begin:end])

    def _rows(self, rows: pl.DataFrame, numbers: Any) -> pl.DataFrame:
        """Return attempts with their numbers, and with what is known of their batches."""
        attempt = pl.Series("attempt", numbers, dtype=pl.Int64)
        return self._dated(rows).with_columns(attempt)

    def _dated(self, rows: pl.DataFrame) -> pl.DataFrame:
        times = [
            pl.from_epoch((pl.col(name) * 1000).cast(pl.Int64), time_unit="ms")
            .dt.replace_time_zone("UTC")
            .alias(name)
            for name in ("submitted_at", "completed_at", "answered_at")
        ]
        return rows.join(self._about, on="batch", how="left", maintain_order="left").with_columns(
            *times
        )

    def _answered(self, requests: pl.DataFrame) -> pl.DataFrame:
        """Put the attempt that counts beside each request."""
        best = self._index.best[requests["_place"].to_numpy()]
        found = self._dated(self._parts.pick(best))
        wrong = (found["custom_id"] != requests["custom_id"]).sum()
        if wrong:
            raise LedgerDamaged(
                f"{wrong} attempts below {self._parts.folder} changed while they were read: "
                "run the command again"
            )
        return (
            requests.drop("_place")
            .hstack(found.drop("custom_id"))
            .select(
                *(name for name in requests.columns if name != "_place"),
                *question_columns(self._questions),
                *self._scores,
                *(name for name in HEAD if name != "custom_id"),
                *(name for name in TAIL if name != "raw_answer"),
                *(name for name in GATEWAY if name in self._parts.schema),
                *("remote_batch", "submitted_at", "completed_at", "raw_answer"),
            )
        )


class _StoredAttempts:
    """The stored attempts of some batches, as one long table in the order they were sent."""

    def __init__(self, folder: Path, batches: Iterable[Batch], questions: QuestionSet) -> None:
        self.folder = folder / "attempts"
        self.paths = all_parts(folder, [batch.key for batch in batches])
        schema = {name: getattr(pl, kind) for name, kind in columns(questions).items()}
        told = [pl.col(name).count() for name in GATEWAY]
        found = [
            read_part(
                pl.scan_parquet(path, schema=schema, missing_columns="insert", glob=False).select(
                    pl.len(), *told
                ),
                path,
            )
            for path in self.paths
        ]
        empty = [name for name in GATEWAY if not any(one[name].item() for one in found)]
        self.schema = {name: kind for name, kind in schema.items() if name not in empty}
        self.starts = np.cumsum([0, *(one["len"].item() for one in found)])
        self.read = lru_cache(maxsize=2)(self._read)  # where one chunk ends, the next begins

    def _read(self, number: int) -> pl.DataFrame:
        """Read one part; one of an older version lacks what it did not know of: that is missing."""
        path = self.paths[number]
        rows = pl.scan_parquet(
            path,
            schema=self.schema,
            missing_columns="insert",
            extra_columns="ignore",
            glob=False,
        )
        return read_part(rows, path)

    def pick(self, rows: Numbers) -> pl.DataFrame:
        """Return some rows by their numbers, in the order asked for; an empty one for a -1."""
        wanted = np.unique(rows[rows >= 0])
        numbers = np.searchsorted(self.starts, wanted, side="right") - 1
        frames = [pl.DataFrame(schema=self.schema)]
        for number in np.unique(numbers).tolist():
            here = wanted[numbers == number] - self.starts[number]
            frames.append(self.read(number)[here])
        at = pl.Series(np.searchsorted(wanted, rows)).set(pl.Series(rows < 0), None)
        return pl.concat(frames).select(pl.all().gather(at))


class _Index:
    """Numbers of all attempts: which counts for a request, and which try of it each is."""

    def __init__(self, parts: _StoredAttempts, request_states: RequestStates) -> None:
        places = _Placer(request_states)
        self.attempt = np.zeros(parts.starts[-1], np.int32)
        """By row: the how manieth attempt of its request it is."""
        self.with_errors: list[int] = []
        """Parts that hold a refused request or an error."""
        least = np.full(places.count, _NONE, np.int64)
        tries = np.zeros(places.count, np.int32)
        for number, path in enumerate(parts.paths):
            wanted = pl.scan_parquet(path, glob=False).select("custom_id", "outcome")
            rows = read_part(wanted, path)
            place = places.of(rows["custom_id"], path)
            first, end = parts.starts[number : number + 2]
            tries[place] += 1
            self.attempt[first:end] = tries[place]
            start = rows["outcome"].replace_strict(STARTS, default=OTHERS, return_dtype=pl.Int64)
            order = order_of(start.to_numpy(), np.arange(first, end))
            least[place] = np.minimum(least[place], order)
            if rows["outcome"].is_in(_ERRORS).any():
                self.with_errors.append(number)
        self.best: Numbers = np.where(least == _NONE, -1, place_of(least))
        """By request: the row of the attempt that counts; -1: there is none."""


class _Placer:
    """Finds the number of a request by its custom_id."""

    def __init__(self, request_states: RequestStates) -> None:
        self._many = even(request_states)
        if self._many is not None:
            self.count = len(self._many.state)
            return
        sizes = {stem: len(row.state) for stem, row in request_states.rows.items()}
        self.count = sum(sizes.values())
        self._stems = pl.Series(list(sizes), dtype=pl.String)
        self._sizes = pl.Series(list(sizes.values()), dtype=pl.Int64)
        self._starts = self._sizes.cum_sum() - self._sizes

    def of(self, names: pl.Series, part: Path) -> Numbers:
        """Return the numbers of requests, none of them twice."""
        stem, trial = custom_ids.parsed(names)
        if (rows := self._many) is None:
            start = stem.replace_strict(
                self._stems, self._starts, default=None, return_dtype=pl.Int64
            )
            size = stem.replace_strict(self._stems, self._sizes, default=0)
        else:
            start = pl.Series(map(rows.names.find, stem), dtype=pl.Int64) * rows.trials
            size = (start >= 0).fill_null(value=False).cast(pl.Int64) * rows.trials
        known = (trial >= 1) & (trial <= size)
        if not known.all() or known.null_count() or names.n_unique() < len(names):
            raise LedgerDamaged(
                f"{part}: holds an attempt of a request that its batch does not have, or one twice: "
                "action=export reads the raw answers again"
            )
        return (start + trial - 1).to_numpy()


_NONE = OTHERS + 1
"""Stands for the least number where there is no attempt."""
_ERRORS = [
    outcome.value
    for outcome in (Outcome.REFUSED, Outcome.ERRORED, Outcome.DENIED, Outcome.UNREADABLE)
]


def _about(collected: Iterable[Batch]) -> pl.DataFrame:
    return pl.DataFrame(
        [
            {
                "batch": b.key,
                "remote_batch": b.remote,
                "submitted_at": b.accepted_at,
                "completed_at": b.ended_at,
            }
            for b in collected
        ],
        schema={
            "batch": pl.String,
            "remote_batch": pl.String,
            "submitted_at": pl.Float64,
            "completed_at": pl.Float64,
        },
    )


_Slice = tuple[str, Trials, int, int, int]
"""Some requests of a condition: its stem and row, from where to where, the number of the first."""


def _slices(request_states: RequestStates, size: int) -> Iterator[list[_Slice]]:
    """Cut the request_states into chunks of some requests, in its order."""
    chunk: list[_Slice] = []
    room, place = size, 0
    for stem, row in request_states.rows.items():
        begin = 0
        while begin < len(row.state):
            end = min(len(row.state), begin + room)
            chunk.append((stem, row, begin, end, place + begin))
            room -= end - begin
            begin = end
            if not room:
                yield chunk
                chunk, room = [], size
        place += len(row.state)
    if chunk:
        yield chunk


class _Asked:
    """What the ledger's record says that requests were asked; its factors are looked up once."""

    def __init__(self, experiment: Mapping[str, Any]) -> None:
        self._experiment = experiment
        self._factors = factors_in(experiment["definition"])
        self._columns = factor_columns(self._factors)
        self._cells = {name: [*cells_in(levels)] for name, levels in self._factors.items()}
        self._shuffled = shuffled_in(experiment["definition"])
        self._each = asks_each(experiment["definition"])
        self._varied = varied_columns(experiment)

    def requests(self, slices: Iterable[_Slice]) -> pl.DataFrame:
        """Return one row per request, with its factors and counters, and its number as `_place`."""
        model = self._experiment["definition"]["model"]
        slices = list(slices)
        conditions = pl.DataFrame(
            {
                **self._of([stem for stem, *_ in slices]),
                "stem": [stem for stem, *_ in slices],
                "_wanted": [row.wanted for _, row, *_ in slices],
                "_begin": [begin for _, _, begin, _, _ in slices],
                "_end": [end for *_, end, _ in slices],
                "_first": [place for *_, place in slices],
            },
            schema={**self._columns, "stem": pl.String, **dict.fromkeys(_NUMBERS, pl.Int64)},
        )
        arrays = {
            "_state": b"".join(row.state[begin:end] for _, row, begin, end, _ in slices),
            "attempts": b"".join(row.asked[begin:end] for _, row, begin, end, _ in slices),
            "lost": b"".join(row.lost[begin:end] for _, row, begin, end, _ in slices),
        }
        return (
            conditions.with_columns(trial=pl.int_ranges(pl.col("_begin") + 1, pl.col("_end") + 1))
            .explode("trial", empty_as_null=False)
            .with_columns(
                custom_ids.written(),
                (pl.col("_first") + pl.col("trial") - 1 - pl.col("_begin")).alias("_place"),
                *(pl.Series(name, list(codes), dtype=pl.Int64) for name, codes in arrays.items()),
            )
            .filter(
                (pl.col("trial") <= pl.col("_wanted"))
                | ~pl.col("_state").is_in([PENDING, WITHHELD])
            )
            .with_columns(
                status=pl.col("_state").replace_strict(
                    list(range(len(STATES))), [_STATUS[s] for s in STATES], return_dtype=pl.String
                )
            )
            .select(
                pl.lit(self._experiment["name"]).alias("experiment"),
                pl.lit(model["provider"]).alias("provider"),
                pl.lit(model["name"]).alias("model"),
                pl.lit(bool(self._experiment["emulated"])).alias("rehearsal"),
                *self._columns,
                *self._varied,
                *("trial",),
                *self._orders(),
                *("custom_id", "status", "attempts", "lost", "_place"),
            )
        )

    def _orders(self) -> Iterator[pl.Expr]:
        """Yield a column a shuffled order, as each trial showed it."""
        for one in self._shuffled:
            of_row = partial(_shown, one)
            shown = pl.struct("stem", "trial").map_elements(of_row, pl.String)
            if self._each:
                shown = pl.when(pl.col(ITEM) == one.what).then(shown)
            yield shown.alias(one.column)

    def _of(self, stems: Iterable[str]) -> dict[str, list[Any]]:
        """Return the cells of some conditions' factors and temperature, by column."""
        conditions = self._experiment["definition"]["conditions"]
        rows = [conditions[stem] for stem in stems]
        found: dict[str, list[Any]] = {}
        for name, levels in self._factors.items():
            found[name] = [row[name] for row in rows]
            cells = [levels[id_] for id_ in found[name]] if self._cells[name] else []
            found |= {column: [cell.get(column) for cell in cells] for column in self._cells[name]}
        heats = (row["temperature"] for row in rows)
        return {**found, "temperature": [None if heat is None else float(heat) for heat in heats]}


def _shown(one: Shuffled, row: Mapping[str, Any]) -> str:
    return one.shown(row["stem"], row["trial"])


_NUMBERS = ("_wanted", "_begin", "_end", "_first")


def factor_columns(factors: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> dict[str, Any]:
    """Return the columns that say what a request was asked, in order, with their types.

    Args:
        factors: as `factors_in` returns them.
    """
    columns: dict[str, Any] = {}
    for name, levels in factors.items():
        columns[name] = pl.String
        cells = cells_in(levels)
        columns |= {column: _kind(values) for column, values in cells.items()}
    return {**columns, "temperature": pl.Float64}


def varied_columns(experiment: Mapping[str, Any]) -> list[pl.Expr]:
    """Return the columns of the settings in which the jobs of a sweep differ; of a run all are alike.

    Args:
        experiment: the ledger's own record of what the experiment is.
    """
    return [
        pl.lit(cell["value"], dtype=getattr(pl, cell["kind"])).alias(column)
        for column, cell in varied_in(experiment).items()
    ]


def _kind(values: Iterable[Any]) -> Any:
    kinds = {type(value) for value in values} - {type(None)}
    if kinds == {bool}:
        return pl.Boolean
    if kinds == {int}:
        return pl.Int64
    return pl.Float64 if kinds and kinds <= {int, float} else pl.String


_STATUS = {
    RequestState.PENDING: "open",
    RequestState.IN_BATCH: "open",
    RequestState.SUCCESS: "success",
    RequestState.RETRY_SUCCESS: "retry_success",
    RequestState.FAILED: "failed",
    RequestState.WITHHELD: "open",
}
