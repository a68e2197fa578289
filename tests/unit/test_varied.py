"""What the jobs of a sweep were told differently: columns, their names, kinds and values."""

import pytest

from runner.config.varied import agreed, varied
from tests.unit.composing import composed, fill
from tests.variants import first


def cells(*words: str) -> list[dict]:
    found = varied(composed(["-m", *words]))
    return [{name: (cell["kind"], cell["value"]) for name, cell in job.items()} for job in found]


def test_a_setting_that_differs_is_a_column_of_its_last_name():
    found = varied(composed(["-m", "+provider.parameters.top_p=0.5,1", "question=english"]))
    assert found == [
        {"set_top_p": {"setting": "provider.parameters.top_p", "kind": "Float64", "value": value}}
        for value in (0.5, 1.0)
    ]


@pytest.mark.parametrize(
    ("words", "column"),
    first(4, [
        (["question=literary,english"], {"set_question": ("String", ["literary", "english"])}),
        (["provider.max_output_tokens=900,1500"], {"set_max_output_tokens": ("Int64", [900, 1500])}),
        (["provider.system_role=true,false"], {"set_system_role": ("Boolean", [True, False])}),
        (["+provider.parameters.k=1,2"], {"set_k": ("Float64", [1.0, 2.0])}),
        (["+provider.parameters.k=null,2"], {"set_k": ("Float64", [None, 2.0])}),
        (["+provider.parameters.k=1,x"], {"set_k": ("String", ["1", "x"])}),
        (["+provider.parameters.k=9007199254740993,1"],
         {"set_k": ("String", ["9007199254740993", "1"])}),
        (["+provider.parameters.k={a:1},{a:2}"], {"set_k": ("String", ['{"a": 1}', '{"a": 2}'])}),
        (["prompt.enhance=always,never"], {"set_enhance": ("String", ["always", "never"])}),
    ]),
)  # fmt: skip
def test_a_column_has_the_kind_of_its_values(words, column):
    ((name, (kind, values)),) = column.items()
    assert cells(*words) == [{name: (kind, value)} for value in values]


@pytest.mark.parametrize(
    "words",
    first(
        1,
        [
            ["provider=openai,groq"],
            ["provider.model=gpt-4o,gpt-4o-mini"],
            ["trials=1,2", "personas=[p1],[p2]", "temperatures=[0.1],[0.2]", "name=a,b"],
        ],
    ),
)
def test_what_every_table_shows_is_no_column_more(words):
    assert all(job == {} for job in cells(*words))


def test_two_settings_of_one_last_name_are_told_by_their_whole_names():
    (first, *_) = cells("+provider.parameters.a.k=1,2", "+provider.parameters.b.k=1,2")
    assert list(first) == ["set_provider_parameters_a_k", "set_provider_parameters_b_k"]


@pytest.mark.long
def test_a_job_that_says_nothing_of_a_setting_has_what_it_is_there(tmp_path):
    jobs = "jobs: [{provider: openai, reasoning: low}, {provider: groq, temperatures: null}]"
    argv = fill(tmp_path, {"panel/mine.yaml": jobs})
    one, two = varied(composed([*argv, "panel=mine", "temperatures=null"]))
    assert (one["set_reasoning"]["value"], two["set_reasoning"]["value"]) == ("low", None)


def test_jobs_that_share_a_folder_have_the_columns_in_which_they_are_alike():
    one = {"a": {"value": 1}, "b": {"value": 1}}
    assert agreed([one, {"a": {"value": 1}, "b": {"value": 2}}]) == {"a": {"value": 1}}
    assert agreed([one]) == one
