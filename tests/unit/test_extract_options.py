"""Choices: an option that an answer names plainly is read, in every layout; nothing else is."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.core.extract.reader import Reader
from runner.core.model import Cause, ItemKind, Option, Question, QuestionSet
from tests.unit.layouts import ENGLISH, LABELS, LAYOUTS, Layout, rows
from tests.unit.test_extractor import question_set

MOOD = (
    Option(id="positive", aliases=("good",)),
    Option(id="negative", label="not good", aliases=("bad",)),
    Option(id="neutral"),
)
JAPANESE = (
    Option(id="yes", label="はい"),
    Option(id="no", label="いいえ"),
    Option(id="dk", label="わからない"),
)


def asked(id_: str, label: str, options: tuple[Option, ...], *, reason: bool = False) -> Question:
    return Question(
        id=id_,
        label=label,
        minimum=1,
        maximum=len(options),
        integer=True,
        reason_required=reason,
        options=options,
        kind=ItemKind.CHOICE,
    )


def of(*questions: Question) -> QuestionSet:
    return replace(question_set(), questions=questions)


MOODS = of(
    asked("mood", "mood", MOOD), asked("again", "Buy again", (Option(id="yes"), Option(id="no")))
)
READER = Reader(MOODS)
ONE = Reader(of(asked("mood", "mood", MOOD)))


def read(
    reader: Reader,
    text: str,
    question: str = "mood",
    finish: str | None = "stop",
    options: tuple[Option, ...] = MOOD,
) -> str | None:
    """The id of the option that was read; the cause in capitals where none was."""
    reading = reader.read(text, finish)[question]
    if reading.value is None:
        assert reading.cause is not None
        return reading.cause.name
    return options[int(reading.value) - 1].id


@pytest.mark.parametrize(
    ("said", "option"),
    [
        ("positive", "positive"),
        ("Positive.", "positive"),
        ("**Positive**", "positive"),
        ("[neutral]", "neutral"),
        ('"neutral"', "neutral"),
        ("good", "positive"),
        ("not good", "negative"),
        ("Bad!", "negative"),
        ("ｐｏｓｉｔｉｖｅ", "positive"),
        ("positive - the author loves it", "positive"),
        ("positive (warm words)", "positive"),
        ("positive, because it says love", "positive"),
        ("neutral because it lists facts", "neutral"),
        ("positive: positive words throughout", "positive"),
        # what is no option, or not plainly one
        ("", "MISSING"),
        ("[positive / not good / neutral]", "MISSING"),
        ("positive, negative, neutral", "MISSING"),
        ("not positive", "NOT_AN_OPTION"),
        ("positively surprised", "NOT_AN_OPTION"),
        ("goodness", "NOT_AN_OPTION"),
        ("good-natured", "NOT_AN_OPTION"),
        ("good heavens no", "NOT_AN_OPTION"),
        ("slightly positive", "NOT_AN_OPTION"),
        ("1", "NOT_AN_OPTION"),
        ("b", "NOT_AN_OPTION"),
        ("mixed", "NOT_AN_OPTION"),
        ("n/a", "NOT_AN_OPTION"),
        ("positive or negative", "AMBIGUOUS"),
        ("positive / negative", "AMBIGUOUS"),
        ("positive, maybe bad", "AMBIGUOUS"),
        ("positive?", "NOT_AN_OPTION"),
        ("positive, or so", "AMBIGUOUS"),
        ("positive - not sure", "AMBIGUOUS"),
        ("between positive and neutral", "AMBIGUOUS"),
        ("not positive but neutral", "AMBIGUOUS"),
        ("positive (negative at first)", "AMBIGUOUS"),
    ],
)
def test_a_line_names_one_option_plainly_or_none(said, option):
    assert read(READER, f"mood (answer): {said}\nBuy again: yes") == option


@pytest.mark.parametrize(
    ("text", "option"),
    [
        ('{"mood": "positive", "again": "no"}', "positive"),
        ('{"mood": {"value": "not good", "reason": "x"}, "again": {"value": "no"}}', "negative"),
        ('```json\n{"mood": "GOOD"}\n```', "positive"),
        ('{"mood": 1}', "NOT_A_NUMBER"),
        ('{"mood": true}', "NOT_A_NUMBER"),
        ('{"mood": "1"}', "NOT_AN_OPTION"),
        ('{"mood": null}', "MISSING"),
        ('{"mood": ["positive", "neutral"]}', "NOT_A_NUMBER"),
        ("| item | answer |\n|---|---|\n| mood | neutral |\n| Buy again | yes |", "neutral"),
        ("mood: positive\nmood: negative", "AMBIGUOUS"),
        ("mood: positive\nmood: good", "positive"),
        ("mood: positive\n\nCorrection: mood should be neutral.", "AMBIGUOUS"),
        ("mood: positive\nreason: it says love\nOn second thought, negative.", "AMBIGUOUS"),
        ("<think>mood: negative</think>\nmood: positive", "positive"),
        ("The mood is positive.", "MISSING"),
    ],
)
def test_objects_tables_and_corrections_are_read_as_numbers_are(text, option):
    assert read(READER, text) == option


@pytest.mark.parametrize(
    ("text", "option"),
    [
        ("positive", "positive"),
        ("Positive.\n", "positive"),
        ("**neutral**", "neutral"),
        ("Answer: not good", "negative"),
        ("My answer: good", "positive"),
        ("positive\n\nThe author says that she loves it.", "positive"),
        ("```\npositive\n```", "positive"),
        ("positive\n\nThough some of it is bad.", "AMBIGUOUS"),
        ("positive or neutral", "AMBIGUOUS"),
        ("I think it is positive.", "MISSING"),
        ("The options are positive, not good and neutral.", "AMBIGUOUS"),
        ("not positive", "MISSING"),
        ("", "MISSING"),
    ],
)
def test_one_choice_alone_may_be_the_whole_answer(text, option):
    assert read(ONE, text) == option


AGREE = Reader(
    of(asked("q", "q", tuple(Option(id=i) for i in ("agree", "strongly agree", "disagree"))))
)
DAYS = Reader(
    of(asked("q", "q", tuple(Option(id=str(n), label=f"{n - 1} days") for n in range(1, 5))))
)


@pytest.mark.parametrize(
    ("reader", "said", "number"),
    [
        (AGREE, "strongly agree", 2),
        (AGREE, "agree", 1),
        (AGREE, "agree (strongly)", None),
        (AGREE, "agree, strongly", None),
        (AGREE, "agree\nstrongly", None),
        (AGREE, "agree\nor disagree", None),
        (AGREE, "agree\n- disagree", None),
        (AGREE, "agree – I cannot answer this", None),
        (AGREE, "agree; on the other hand not really", None),
        (DAYS, "0 days", 1),
        (DAYS, "3 days", 4),
        (DAYS, "1", None),
        (DAYS, "2", None),
    ],
)
def test_words_that_would_make_another_option_leave_none(reader, said, number):
    assert reader.read(f"q: {said}")["q"].value == number


@pytest.mark.parametrize("text", ["pos", "positive", "mood: positive", "mood: not"])
def test_an_answer_that_is_cut_off_in_the_line_is_no_answer(text):
    assert ONE.read(text, "length")["mood"].value is None


def test_the_first_option_beside_a_refusal_is_an_answer_like_any_other():
    text = "mood: positive\nmood (reason): I'm sorry that I cannot praise it more."
    assert READER.read(text)["mood"].value == 1


FOUR = tuple(asked(q, label, JAPANESE) for q, label in LABELS.items())
FOUR_ENGLISH = tuple(asked(q, label, MOOD) for q, label in ENGLISH.items())
OF_FOUR = {False: (Reader(of(*FOUR)), JAPANESE), True: (Reader(of(*FOUR_ENGLISH)), MOOD)}
WRITABLE = [
    layout for layout in LAYOUTS if "点" not in layout.write(rows([1] * 4, ["x"] * 4, LABELS))
]


@settings(max_examples=80)
@given(
    layout=st.sampled_from(WRITABLE),
    chosen=st.lists(st.integers(0, 2), min_size=4, max_size=4),
)
def test_whatever_the_layout_no_other_option_is_read(layout: Layout, chosen: list[int]) -> None:
    reader, options = OF_FOUR[layout.english]
    labels = ENGLISH if layout.english else LABELS
    words = [options[n].shown for n in chosen]
    text = layout.write(rows(words, ["それは読んだとおりです。"] * 4, labels))  # type: ignore[arg-type]
    for reading, right in zip(reader.read(text).values(), chosen, strict=True):
        assert reading.value in (None, right + 1)


@pytest.mark.parametrize("name", ["the form", "fenced json", "json", "table"])
def test_the_layouts_that_name_each_question_are_read(name):
    layout = next((one for one in WRITABLE if one.name == name), None)
    if layout is None:
        pytest.fail(f"no layout is called {name}")
    reader, options = OF_FOUR[layout.english]
    labels = ENGLISH if layout.english else LABELS
    words = [options[n].shown for n in (0, 1, 2, 0)]
    text = layout.write(rows(words, ["それは読んだとおりです。"] * 4, labels))  # type: ignore[arg-type]
    assert [reading.value for reading in reader.read(text).values()] == [1, 2, 3, 1]


@given(st.text(st.sampled_from("positvengadulrbo ,.:/()[]-\n")))
def test_no_text_makes_the_reader_stumble_or_take_what_it_does_not_name(text):
    for reader in (ONE, READER):
        reading = reader.read(f"mood: {text}")["mood"]
        if reading.value is not None:
            option = MOOD[int(reading.value) - 1]
            names = (option.id, option.shown, *option.aliases)
            assert any(name in " ".join(text.lower().split()) for name in names)
        else:
            assert isinstance(reading.cause, Cause)


@pytest.mark.parametrize("text", ["はい、いやいいえ", "はい。やっぱりいいえ", "いいえ、訂正、はい"])
def test_an_option_that_is_taken_back_at_once_is_not_taken(text: str) -> None:
    reader = Reader(of(asked("buy", "buy", JAPANESE)))

    assert reader.read(text)["buy"].value is None


@pytest.mark.parametrize(
    "said", ["In summary: mood negative.", "So the mood is negative overall.", "mood → negative"]
)
def test_a_sentence_behind_the_options_that_names_another_is_a_second_answer(said: str) -> None:
    text = "mood (answer): positive\nBuy again (answer): yes\n\n"

    assert [r.value for r in READER.read(text + said).values()] == [None, 1]
    same = said.replace("negative", "positive")
    assert [r.value for r in READER.read(text + same).values()] == [1, 1]


# --- a verdict in double brackets, as judges are asked for it

VERDICTS = (Option(id="A"), Option(id="B"), Option(id="C", label="tie"))
JUDGE = Reader(of(asked("verdict", "verdict", VERDICTS, reason=True)))


@pytest.mark.parametrize(
    ("said", "option"),
    [
        ("[[A]]", "A"),
        ("**[[B]]**", "B"),
        ("Assistant A explains the steps, B does not.\n\n[[A]]", "A"),
        ("Both are fine, but the first is more precise. My final verdict is: [[A]].", "A"),
        ("Therefore, the verdict is [[tie]].", "C"),
        ("[[B]]\n\n[[B]]", "B"),
        # more than one, or none that is a verdict
        ("[[A]] or [[B]]", "AMBIGUOUS"),
        ("[[A]]\n[[B]]", "AMBIGUOUS"),
        ("[[A]]\nB would be better, though.", "AMBIGUOUS"),
        ("If the first is better I print [[A]]", "MISSING"),
        ("The answer should be [[A]]", "MISSING"),
        ("I cannot say [[A]]", "REFUSED"),
        ("See [[1]] and [[note]]", "MISSING"),
    ],
)
def test_a_verdict_in_double_brackets_counts_where_it_ends_a_line(said, option):
    assert read(JUDGE, said, "verdict", options=VERDICTS) == option


def test_what_stands_above_a_verdict_in_double_brackets_is_its_reason():
    text = "The first explains the steps.\nThe second does not.\n\nSo it is [[A]]"
    assert JUDGE.read(text, "stop")["verdict"].reason == (
        "The first explains the steps.\nThe second does not."
    )
