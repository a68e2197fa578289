#!/usr/bin/env bash
# syrupy: pytest --snapshot-update that is interrupted, or stopped by -x, deletes the snapshots of all
# tests that it did not come to, and the next update takes anything for right.
#
# Seen with syrupy 7.0.2, pytest 9.2.0, Python 3.11. Two files of two tests, a snapshot each; the second
# test of the first file is where the run ends (Ctrl-C is a real SIGINT):
#   --snapshot-update                                4 snapshots generated.
#   Ctrl-C, no update                                1 snapshot passed. 3 snapshots unused.
#   Ctrl-C, --snapshot-update                        1 snapshot passed. 3 unused snapshots deleted.
#   test fails, --snapshot-update -x                 1 snapshot passed. 3 unused snapshots deleted.
#   test skips, --snapshot-update                    3 snapshots passed.
#   Ctrl-C, --snapshot-update --snapshot-no-cleanup  1 snapshot passed. 3 snapshots unused.
# After the third line, with prices that are wrong, an update says "3 snapshots generated", where it
# would say "3 snapshots updated".
#
# What we expected: unused is what no test asked for; syrupy keeps a status NOT_RUN for the tests that it
# did not reach. In fact it goes by the tests that were selected where all are, and by the status where
# some are deselected (-m): and NOT_RUN is the value False in a plain Enum, whose members are all true.
# 4.9.1, 5.0.0 and 6.0.0 delete as well. What stands below an error in a test, or behind a fixture that
# failed, goes too. Read what was deleted before it is committed, or use --snapshot-no-cleanup.
# Run: bash findings/syrupy_interrupted_update_deletes_the_rest.sh
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q 'syrupy==7.0.2' 'pytest==9.2.0'
mkdir "$work/tests"
cd "$work/tests"
: > pytest.ini
cat > conftest.py <<'PY'
import os
import signal
import time

import pytest


@pytest.fixture
def price():
    return float(os.environ["PRICE"])


@pytest.fixture
def crossing():
    match os.environ["HERE"]:
        case "Ctrl-C":
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(5)
        case "fails":
            raise ConnectionError("no prices")
        case "skips":
            pytest.skip("no prices")
PY
cat > test_costs.py <<'PY'
def test_heading(snapshot):
    assert "costs in USD" == snapshot


def test_one(crossing, price, snapshot):
    assert f"a request costs {price:.2f}" == snapshot
PY
cat > test_totals.py <<'PY'
def test_ten(price, snapshot):
    assert f"10 requests cost {10 * price:.2f}" == snapshot


def test_hundred(price, snapshot):
    assert f"100 requests cost {100 * price:.2f}" == snapshot
PY
ask() {  # the price, what happens at the second test, the words expected, options
    local said found
    said=$(PRICE=$1 HERE=$2 "$work/venv/bin/python" -m pytest -q -p no:cacheprovider "${@:4}" 2>&1) || true
    found=$(grep -E '^[0-9]+ (unused )?snapshots? ' <<< "$said") || true
    printf '%s %-7s %-42s %s\n' "$1" "$2" "${*:4}" "$found"
    if [ "$found" != "$3" ]; then
        echo "changed: \"$3\" was seen before"
        exit 1
    fi
}
again() { rm -rf __snapshots__; cp -r "$work/kept" __snapshots__; }
ask 0.25 - '4 snapshots generated.' --snapshot-update
cp -r __snapshots__ "$work/kept"
ask 0.25 Ctrl-C '1 snapshot passed. 3 snapshots unused.'
ask 0.25 fails '1 snapshot passed. 3 unused snapshots deleted.' --snapshot-update -x
again
ask 0.25 skips '3 snapshots passed.' --snapshot-update
ask 0.25 Ctrl-C '1 snapshot passed. 3 snapshots unused.' --snapshot-update --snapshot-no-cleanup
ask 0.50 - '3 snapshots failed. 1 snapshot passed.'
ask 0.25 Ctrl-C '1 snapshot passed. 3 unused snapshots deleted.' --snapshot-update
ask 0.50 - '1 snapshot passed. 3 snapshots generated.' --snapshot-update
again
ask 0.50 - '1 snapshot passed. 3 snapshots updated.' --snapshot-update
