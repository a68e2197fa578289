"""The short cut that tests take to settings leads where the command line does."""

import pytest

from runner.config.compose import compose
from runner.core.errors import ConfigError
from tests.unit.composing import composed
from tests.variants import first

WORDS = [
    ["provider=openai", "service=emulated", "provider.parameters={seed: 1}", "temperatures=null"],
    ["faults=instant", "faults.malformed=0.3", "outputs=out puts", "--json", "texts=[t1]"],
    ["+provider.parameters.reasoning_effort=low", "provider=openai", "provider.model=1e3"],
    ["-m", "provider=openai,groq", "provider.model=1e3,'a,b'", "--json", "texts=[t1,t2]"],
    ["provider.price.per_million={a*: {input: 1, output: 2, source: me, checked: 2026-11-24}}"],
]
MISTAKES = [["trials=0", "name=a/b"], ["+trails=3"], ["trials=1,2"], ["name=null"], ["trials"]]
MISTAKES += [["-m", "trials=1,0"], ["-m", "provider=openai,nope"]]


@pytest.mark.parametrize("argv", first(2, WORDS), ids=" ".join)
def test_the_settings_are_the_same(argv):
    assert composed(argv) == compose(argv)


@pytest.mark.parametrize("argv", first(3, MISTAKES), ids=" ".join)
def test_a_mistake_is_said_in_the_same_words(argv):
    said = []
    for make in (compose, composed):
        with pytest.raises(ConfigError) as caught:
            make(argv)
        said.append(str(caught.value))
    assert said[0] == said[1]
