"""When result files that lack something are taken for all there is."""

from dataclasses import replace
from hashlib import sha256

import pytest

from runner.batches.downloads import Downloads
from runner.core.ends import End
from runner.core.errors import ProviderRefused, ResultFileShort
from runner.providers.openai import OpenAIBatch
from tests.unit.test_results import ALL_GOOD, BATCH, MEMBERS, NOWHERE, raw, result_reader_of

SINCE, SETTLE = 1000.0, 60.0
THREE_OF_FIVE = b"\n".join(raw(row) for row in ALL_GOOD[:3]) + b"\n"
SAME = sha256(THREE_OF_FIVE).hexdigest()


@pytest.mark.parametrize(
    ("began", "before", "is_whole"),
    [
        (SINCE + SETTLE, SAME, True),
        (SINCE + SETTLE - 1, SAME, False),
        (SINCE + SETTLE, "another", False),
        (SINCE + SETTLE, None, False),
    ],
)
def test_what_no_count_proves_is_whole_when_the_same_comes_after_the_settle_time(
    tmp_path, experiment, began, before, is_whole
):
    reader = result_reader_of(tmp_path, experiment, OpenAIBatch(NOWHERE, experiment.model).decode)
    batch = replace(
        BATCH,
        files={"output": "file-1"},
        unsettled_at=SINCE,
        downloads=None if before is None else {"output": before},
    )
    fetched = Downloads(tmp_path, reader, SETTLE).fetch(
        batch, MEMBERS, lambda _, sink: sink.write(THREE_OF_FIVE), began
    )
    assert (fetched.doubt is None) is is_whole
    assert fetched.hashes == {"output": SAME}
    assert {path.suffix for path in (tmp_path / "raw").iterdir()} == {
        ".jsonl" if is_whole else ".kept"
    }


@pytest.mark.parametrize(("lines", "end"), [(3, End.CONTRADICTED), (5, End.WHOLE)])
def test_a_file_shorter_than_its_record_is_whole_where_every_request_has_a_line_and_only_there(
    tmp_path, experiment, lines, end
):
    def shortened(_, sink):
        sink.write(b"\n".join(raw(row) for row in ALL_GOOD[:lines]) + b"\n")
        raise ResultFileShort("download: 3 of 9 bytes arrived")

    reader = result_reader_of(tmp_path, experiment, OpenAIBatch(NOWHERE, experiment.model).decode)
    batch = replace(BATCH, files={"output": "file-1"}, unsettled_at=SINCE)
    fetched = Downloads(tmp_path, reader, SETTLE).fetch(batch, MEMBERS, shortened, SINCE + SETTLE)
    assert (fetched.end, fetched.found) == (end, lines)
    assert (fetched.doubt or "").startswith("download: 3 of 9 bytes" if lines == 3 else "")


def test_a_file_that_was_whole_in_spite_of_its_record_is_put_back_by_its_hash(tmp_path, experiment):
    def shortened(_, sink):
        sink.write(THREE_OF_FIVE)
        raise ResultFileShort("download: 3 of 9 bytes arrived")

    reader = result_reader_of(tmp_path, experiment, OpenAIBatch(NOWHERE, experiment.model).decode)
    batch = replace(BATCH, files={"output": "file-1"}, raw={"output": SAME})
    Downloads(tmp_path, reader, SETTLE).fetch_again(batch, shortened)
    (final,) = (tmp_path / "raw").iterdir()
    assert (final.suffix, final.read_bytes()) == (".jsonl", THREE_OF_FIVE)
    final.unlink()
    other = replace(batch, raw={"output": "another"})
    with pytest.raises(ProviderRefused, match="what the provider has now is not"):
        Downloads(tmp_path, reader, SETTLE).fetch_again(other, shortened)
