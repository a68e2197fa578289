"""A provider that takes no small batches: what the plan says of it before anything is sent."""

import pytest

from runner.run import preflight
from runner.run.preview import Preview
from runner.run.run import Run
from tests.unit.composing import composed

SMALL = ("provider=bedrock", "personas=[p1]", "texts=[t1]")
LATER = "what is to be asked again waits until it is 100 requests"
MANY = "temperatures=[0.1]"


def planned(*arguments: str) -> Preview:
    return preflight.preview(Run(composed([*SMALL, *arguments])[0]))


def notes(found: Preview) -> list[str]:
    return [note for note in found.warnings if "fewer than 100" in note or LATER in note]


@pytest.mark.parametrize(
    ("arguments", "to_send", "batches", "says"),
    [
        (["trials=40"], 0, 0, ["40 requests are not sent: ", LATER]),
        (["trials=100"], 100, 1, [LATER]),
        (["trials=100", "retry.mode=realtime"], 100, 1, []),
        (["trials=40", "provider.mode=realtime"], 40, 1, []),
        (["trials=250", "provider.limits.requests=200"], 250, 2, [LATER]),
        (["trials=130", "provider.limits.requests=120"], 114, 1, ["16 requests are not", LATER]),
        (["trials=300", "pilot.at_least=20"], 300, 1, ["pilot: 20 requests are not sent", LATER]),
    ],
)
def test_what_is_too_few_is_said_with_the_way_out_and_is_not_counted_as_sent(
    arguments, to_send, batches, says
):
    found = planned(MANY, *arguments)
    assert (found.to_send, found.batches) == (to_send, batches)
    said = notes(found)
    assert len(said) == len(says)
    assert all(note.startswith(says) for note, says in zip(said, says, strict=True))
    for note in said:
        assert "mode=realtime" in note
        assert "\n" not in note


def test_other_providers_say_nothing_of_it():
    found = preflight.preview(Run(composed(["provider=openai", *SMALL[1:], "trials=3"])[0]))
    assert (found.to_send, notes(found)) == (3, [])


def test_the_least_is_at_least_one(capfd):
    with pytest.raises(Exception, match="min_requests"):
        composed(["provider=openai", "provider.limits.min_requests=0"])
