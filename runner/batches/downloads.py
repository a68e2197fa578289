"""Result files on their way to raw/: kept as they come, and given their final name when whole.

A download may end early without an error, and a file may come later than the word that all is over.
Files that are not taken to be whole keep a name of their own (`.kept`), the fullest ones; a file
under its final name is whole and is never fetched again.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from runner.batches.results import ResultReader
from runner.core.call_results import Fetched
from runner.core.ends import End, contradiction, found_in, judge
from runner.core.errors import ProviderRefused, ResultFileShort
from runner.core.model import Batch, BatchKey, Span
from runner.core.states import BatchState
from runner.storage.files import file_sha256, fresh, make_folder, settle
from runner.storage.paths import result_path

Download = Callable[[str, BinaryIO], None]
"""Writes one of the provider's files, by its id there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Places:
    """Where one result file stands on its way."""

    final: Path
    fresh: Path
    """What was just fetched."""
    short: str | None = None
    """That more of it should have come, in words."""

    @property
    def best(self) -> Path:
        """What there is to read."""
        return self.final if self.final.exists() else self.fresh


class Downloads:
    """The result files of one run."""

    def __init__(
        self,
        folder: Path,
        result_reader: ResultReader,
        settle_seconds: float,
    ) -> None:
        """Keep what every download needs.

        Args:
            folder: the run's; files go to its raw/.
            result_reader: reads what came.
            settle_seconds: how long a contradiction is waited out.
        """
        self._folder = folder
        self._result_reader = result_reader
        self._settle_seconds = settle_seconds
        self._under_way: set[BatchKey] = set()

    def is_under_way(self, key: BatchKey) -> bool:
        """Tell whether results of a batch are on their way from the provider."""
        return key in self._under_way

    def is_gone(self, batch: Batch) -> bool:
        """Tell whether result files that were collected are not here any more."""
        known = batch.raw if batch.state is BatchState.COLLECTED and not batch.realtime else ()
        return any(not self._final(batch, name).exists() for name in known)

    def fetch(
        self, batch: Batch, members: Sequence[Span], download: Download, began: float
    ) -> Fetched:
        """Store the result files as they are, then read them from disk.

        Args:
            batch: an ended batch, or one given up, of which only what is here is read.
            members: its requests.
            download: fetches one file.
            began: when this call was started, in seconds since the epoch.
        """
        names = sorted(batch.files, reverse=True)
        if batch.abandoned_at is None:
            stored = {name: self._stored(batch, name, download) for name in names}
        else:
            stored = {name: self._kept(batch, name) for name in names}
        paths = [places.best for places in stored.values()]
        reading = self._result_reader.read(batch, members, paths)
        hashes = dict(zip(stored, map(file_sha256, paths), strict=True))
        short = next((places.short for places in stored.values() if places.short), None)
        told = reading.tally, reading.missing, batch.rest, reading.notices
        found = found_in(*told, short=short)
        end = End.WHOLE if batch.abandoned_at is not None else judge(batch, found)
        is_whole = self._is_whole(batch, end, hashes, began)
        for places in stored.values():
            _put_away(places, is_whole=is_whole)
        return Fetched(
            reading=reading,
            hashes=hashes,
            found=found.lines,
            doubt=None if is_whole else contradiction(batch, found),
            end=end,
        )

    def fetch_again(self, batch: Batch, download: Download) -> None:
        """Put result files back that were collected and are gone, if the provider still has them.

        Raises:
            ProviderError: it does not, or what it has now is something else.
        """
        for name in batch.raw:
            final = self._final(batch, name)
            if final.exists():
                continue
            if name not in batch.files:
                raise ProviderRefused(f"it is not known where {final} came from")
            places = self._stored(batch, name, download)
            if file_sha256(places.fresh) != batch.raw[name]:
                settle(places.fresh, _kept_of(final))
                raise ProviderRefused(
                    f"what the provider has now is not {final}: it is kept beside it as .kept"
                )
            settle(places.fresh, final)

    def _is_whole(self, batch: Batch, end: End, hashes: Mapping[str, str], began: float) -> bool:
        """Tell whether result files are taken to be all there is."""
        since = batch.unsettled_at
        settled = since is not None and began >= since + self._settle_seconds
        unchanged = end is End.UNPROVEN and hashes == batch.downloads
        return end is End.WHOLE or (settled and unchanged)

    def _stored(self, batch: Batch, name: str, download: Download) -> _Places:
        """Fetch a result file, unless it is here."""
        final = self._final(batch, name)
        part = final.with_name(final.name + ".part")
        if final.exists():
            return _Places(final=final, fresh=part)
        make_folder(final.parent)
        with fresh(part) as sink:
            self._under_way.add(batch.key)
            try:
                download(batch.files[name], sink)
            except ResultFileShort as error:
                return _Places(final=final, fresh=part, short=str(error))
            finally:
                self._under_way.discard(batch.key)
        return _Places(final=final, fresh=part)

    def _kept(self, batch: Batch, name: str) -> _Places:
        """Return a result file as far as it is here: it is as full as it will ever be."""
        final = self._final(batch, name)
        kept = _kept_of(final)
        if not final.exists() and not kept.exists():
            make_folder(final.parent)
            with fresh(kept):
                pass
        return _Places(final=final, fresh=kept)

    def _final(self, batch: Batch, name: str) -> Path:
        return result_path(self._folder, batch.key, name)


def _put_away(places: _Places, *, is_whole: bool) -> None:
    kept = _kept_of(places.final)
    if not is_whole:
        _keep_the_fullest(places.fresh, kept)
    elif places.fresh.exists():
        settle(places.fresh, places.final)
        kept.unlink(missing_ok=True)


def _kept_of(final: Path) -> Path:
    """Return where a result file stands while it is not taken to be whole."""
    return final.with_name(final.name + ".kept")


def _keep_the_fullest(part: Path, kept: Path) -> None:
    """Keep the larger of two downloads of one file: one that is cut begins as the other does."""
    if not part.exists():
        return
    if kept.exists() and kept.stat().st_size > part.stat().st_size:
        part.unlink()
    else:
        settle(part, kept)
