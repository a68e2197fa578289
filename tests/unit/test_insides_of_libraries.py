"""What is used inside others' libraries, which they may change at any time: tried with one version.

After an update of one of them: look at the file that is named, then change the version here.
"""

from importlib.metadata import version
from inspect import signature

from hydra._internal.hydra import Hydra
from hydra.core.plugins import Plugins

from runner.cli import slurm
from runner.config import hydra_inside
from runner.config.compose import compose


def test_what_hydra_inside_py_replaces_is_that_of_hydra_1_3_8():
    assert version("hydra-core") == "1.3.8"
    asked = list(signature(Plugins.instantiate_launcher).parameters)
    assert asked == ["self", "hydra_context", "task_function", "config"]
    assert list(signature(Hydra.get_mode).parameters) == ["self", "config_name", "overrides"]
    assert hydra_inside.header_of("# @package persona.p1\nname: x\n") == {"package": "persona.p1"}


def test_hydra_has_its_own_methods_back_once_a_command_line_is_composed():
    kept = Hydra.get_mode
    seen = []
    with hydra_inside.preparing_here(), hydra_inside.composing_once([]):
        seen.append("instantiate_launcher" in vars(Plugins.instance()))
        seen.append(Hydra.get_mode is not kept)
    assert seen == [True, True]
    assert len(compose(["-m", "trials=2,3"])) == 2
    assert Hydra.get_mode is kept
    assert "instantiate_launcher" not in vars(Plugins.instance())


def test_the_watcher_that_slurm_py_silences_is_that_of_submitit_1_5_4(monkeypatch):
    assert version("submitit") == "1.5.4"
    from submitit.slurm.slurm import SlurmInfoWatcher, SlurmJob

    watcher = SlurmInfoWatcher()
    monkeypatch.setattr(SlurmJob, "watcher", watcher)
    watcher.register_job("12_0")
    assert watcher._make_command()[0] == "sacct"
    slurm.silence_watcher()
    watcher.update()
    assert watcher.num_calls == 0
