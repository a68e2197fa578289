"""`action=verify`, `recover`, `adopt` and `abandon`: what sets a run right, and what it prints."""

from runner.cli.exits import DONE, WORK_REMAINS
from runner.cli.output import print_json, print_warnings
from runner.cli.phrases import batches, plural
from runner.core.cost import dollars
from runner.run import maintenance
from runner.run.run import Run


def verify(run: Run, *, as_json: bool) -> int:
    """Print what does not fit together; return the exit code."""
    wrong = maintenance.verify(run)
    if as_json:
        print_json({"problems": wrong})
    else:
        print_warnings(wrong)
        all_well = "all well: ledger, files and tables agree"
        print(plural(len(wrong), "problem") if wrong else all_well)
    return WORK_REMAINS if wrong else DONE


def recover(run: Run) -> int:
    """Make the ledger again and print what was found; return the exit code."""
    found, aside = maintenance.recover(run)
    collected = sum(1 for batch in found if batch.collected_at is not None)
    if aside is not None:
        print(f"the damaged ledger is kept in {aside}")
    print(
        f"{batches(len(found))} found; {collected:,} with all their answers here. Nothing was sent: "
        "the others are looked for at the provider by the next run; action=collect only looks"
    )
    return DONE


def decide(run: Run, action: str) -> int:
    """Adopt or abandon a batch and print what that means; return the exit code."""
    config = run.settings.config
    assert config.batch is not None
    batch = maintenance.decide(run, action, config.batch, config.remote)
    if action == "adopt":
        print(f"{batch.key} is {batch.remote}: run again to collect it")
        return DONE
    cost = "" if batch.reserved_usd is None else f" (up to {dollars(batch.reserved_usd)})"
    left = batch.count - batch.found
    here = f"the {batch.found:,} answered here stay; " if batch.found else ""
    print(
        f"{batch.key} is given up: {here}{left:,} requests are asked again by the next run; what the provider may "
        f"bill for it{cost} stays in the budget"
    )
    return DONE
