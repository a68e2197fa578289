"""What is used inside others' libraries, which they may change at any time: tried with one version.

After an update of one of them: look at the file that is named, then change the version here.
"""

from importlib.metadata import version
from inspect import getsource, signature

from hydra._internal.hydra import Hydra
from hydra.core.plugins import Plugins

from runner.cli import slurm
from runner.config import hydra_inside
from runner.config.compose import compose
from runner.providers import _google_inside


def test_what_hydra_inside_py_replaces_is_that_of_hydra_1_3_8():
    assert version("hydra-core") == "1.3.8"
    asked = list(signature(Plugins.instantiate_launcher).parameters)
    assert asked == ["self", "hydra_context", "task_function", "config"]
    assert list(signature(Hydra.get_mode).parameters) == ["self", "config_name", "overrides"]
    assert hydra_inside.header_of("# @package persona.p1\nname: x\n") == {"package": "persona.p1"}
    name = "hydra._internal.core_plugins.basic_sweeper.BasicSweeper"
    sweeper = Plugins.instance().class_name_to_class[name]
    assert list(signature(sweeper.split_arguments).parameters) == ["overrides", "max_batch_size"]


def test_hydra_has_its_own_methods_back_once_a_command_line_is_composed():
    kept = Hydra.get_mode
    seen = []
    with hydra_inside.preparing_here(), hydra_inside.composing_once([]), hydra_inside.sweeping([]):
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


def test_what_google_inside_py_reaches_into_is_that_of_these_versions(monkeypatch):
    assert version("google-cloud-aiplatform") == "2.7.0"
    assert version("google-cloud-storage") == "3.17.1"
    assert version("google-cloud-bigquery") == "3.47.0"
    from google.auth.credentials import AnonymousCredentials
    from google.cloud import aiplatform_v1, bigquery, storage
    from requests import Session

    anonymous = AnonymousCredentials()
    jobs = aiplatform_v1.JobServiceClient(credentials=anonymous, transport="rest")
    assert isinstance(_google_inside.http_of(jobs), Session)
    objects = storage.Client(project="p", credentials=anonymous)
    assert objects._bucket_metadata_cache is not None
    _google_inside.ask_for_no_bucket_metadata(objects)
    assert objects._bucket_metadata_cache is None
    # Other tests of this process may have loaded in pieces already: the source says what it was.
    assert "_DEFAULT_CHUNKSIZE = 100 * 1024 * 1024" in getsource(bigquery.client)
    monkeypatch.setattr(bigquery.client, "_DEFAULT_CHUNKSIZE", 100 << 20)
    _google_inside.load_in_pieces(1 << 20)
    assert bigquery.client._DEFAULT_CHUNKSIZE == 1 << 20


def test_the_keys_that_frame_py_translates_are_those_of_textual_8_2_8():
    assert version("textual") == "8.2.8"
    from textual.widgets._footer import FooterKey

    key = FooterKey("q", "q", "Quit", "quit", tooltip="Leave")
    assert (key.description, key.tooltip) == ("Quit", "Leave")


def test_the_headers_that_openai_sdk_py_leaves_out_are_those_of_openai_3_54_0(monkeypatch):
    assert version("openai") == "3.54.0"
    from openai import OpenAI

    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "X-Mine: told")
    client = OpenAI(api_key="test-key")
    assert client._custom_headers == {"X-Mine": "told"}
    client._custom_headers = {}
    assert "X-Mine" not in client.default_headers
