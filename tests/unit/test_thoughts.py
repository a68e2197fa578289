"""A thought is not the answer: every family's marks and headings, closed, cut, or without an end."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.core.extract.reader import Reader
from runner.core.extract.thoughts import hide_thoughts
from runner.core.model import Cause, Reading
from tests.unit.layouts import ENGLISH, ENGLISH_REASONS, LABELS, LAYOUTS, REASONS, Layout, rows
from tests.unit.test_extractor import question_set

READER = Reader(question_set())
DRAFT = [31, 32, 33, 34]
FINAL = [81, 72, 63, 54]
FORM, PROSE, JSON, TABLE = (
    next(layout for layout in LAYOUTS if layout.name == name)
    for name in ("the form", "bold names", "json", "table")
)


def written(layout: Layout, numbers: list[int]) -> str:
    labels, reasons = (ENGLISH, ENGLISH_REASONS) if layout.english else (LABELS, REASONS[:4])
    return layout.write(rows(numbers, reasons, labels))


def values(readings: dict[str, Reading]) -> list[int | None]:
    return [None if r.value is None else int(r.value) for r in readings.values()]


# What a template writes before a thought, behind it, and round the answer.
MARKS = {
    "deepseek": ("<think>\n", "\n</think>\n\n", ""),
    "blanks": ("< think >", "</ think >", ""),
    "blank behind": ("<think >\n", "</think >\n", ""),
    "attributes": ('<think type="draft" n="1">\n', "</think>\n", ""),
    "capitals": ("<THINK>\n", "</THINK>\n", ""),
    "claude": ("<thinking>\n", "</thinking>\n", ""),
    "exaone": ("<thought>\n", "</thought>\n", ""),
    "reasoning": ("<reasoning>\n", "</reasoning>\n", ""),
    "analysis": ("<analysis>\n", "</analysis>\n", ""),
    "reflection": ("<reflection>\n", "</reflection>\n", ""),
    "scratchpad": ("<scratchpad>\n", "</scratchpad>\n", ""),
    "scratch_pad": ("<scratch_pad>", "</scratch_pad>", ""),
    "inner": ("<inner_monologue>\n", "</inner_monologue>\n", ""),
    "internal": ("<internal_thoughts>\n", "</internal_thoughts>\n", ""),
    "process": ("<thinking_process>\n", "</thinking_process>\n", ""),
    "planning": ("<planning>\n", "</planning>\n", ""),
    "draft": ("<draft>\n", "</draft>\n", ""),
    "japanese tag": ("<思考>\n", "</思考>\n", ""),
    "japanese draft tag": ("<下書き>\n", "</下書き>\n", ""),
    "seed": ("<seed:think>\n", "</seed:think>\n", ""),
    "seed's budget": ("<seed:cot_budget_reflect>\n", "</seed:cot_budget_reflect>\n", ""),
    "minimax": ("<mm:think>\n", "</mm:think>\n", ""),
    "longcat": ("<longcat_think>\n", "</longcat_think>\n", ""),
    "hunyuan": ("<think>\n", "\n</think>\n<answer>\n", "\n</answer>"),
    "answer alone": ("まず下書きする。\n", "\n<answer>\n", "\n</answer>"),
    "output": ("<Thought>\n", "\n</Thought>\n<Output>\n", "\n</Output>"),
    "magistral": ("[THINK]", "[/THINK]", ""),
    "bracketed": ("[REASONING]\n", "\n[/REASONING]\n", ""),
    "kimi": ("◁think▷", "◁/think▷", ""),
    "gemma": ("<unused94>thought\n", "<unused95>", ""),
    "gemma's channel": ("<|channel>thought\n", "<channel|>\n", "<turn|>"),
    "apertus": ("<|inner_prefix|>", "<|inner_suffix|>", "<|assistant_end|>"),
    "cohere": ("<|START_THINKING|>", "<|END_THINKING|><|START_RESPONSE|>", "<|END_RESPONSE|>"),
    "openthinker": (
        "<|begin_of_thought|>\n",
        "\n<|end_of_thought|>\n\n<|begin_of_solution|>\n",
        "\n<|end_of_solution|>",
    ),
    "harmony": (
        "<|channel|>analysis<|message|>",
        "<|end|><|start|>assistant<|channel|>final<|message|>",
        "<|return|>",
    ),
    "harmony with json": (
        "<|start|>assistant<|channel|>analysis<|message|>",
        "<|end|><|start|>assistant<|channel|>final <|constrain|>json<|message|>",
        "<|return|>",
    ),
    "harmony's commentary": (
        "<|channel|>commentary<|message|>",
        "<|end|><|start|>assistant<|channel|>final<|message|>",
        "",
    ),
    "harmony without marks": ("analysis", "assistantfinal", ""),
    "harmony in lines": ("analysis\n", "\nassistantfinal\n", ""),
    "harmony with blanks": ("analysis ", " assistant final ", ""),
    "harmony, a word a line": ("analysis\n", "\nassistant\nfinal\n", ""),
    "exaone's turns": ("[|assistant|]<thought>\n", "\n</thought>\n", "[|endofturn|]"),
    "nemotron": ("<think>\n", "\n</think>\n\n", "<SPECIAL_12>"),
    "longcat's turns": ("<longcat_think>\n", "\n</longcat_think>\n", "</longcat_s>"),
    "ling": ("<role>ASSISTANT</role><think>\n", "\n</think>\n", "<|role_end|>"),
    "ernie": ("<think>\n", "\n</think>\n\n<response>", "</response>"),
    "solar": (
        "<|think|>",
        "<|end|><|begin|>assistant<|content|>",
        "<|end|>",
    ),
    "budget forcing": ("<|im_start|>think\n", "\n<|im_start|>answer\n", "<|im_end|>"),
    "a fence": ("```thinking\n", "\n```\n\n", ""),
    "a fence of waves": ("~~~reasoning\n", "\n~~~\n\n", ""),
    "folded": ("<details>\n<summary>思考過程</summary>\n\n", "\n</details>\n\n", ""),
    "folded by a front end": (
        '<details type="reasoning" done="true">\n<summary>Thought for 3 seconds</summary>\n',
        "\n</details>\n",
        "",
    ),
    "a comment": ("<!--\n", "\n-->\n", ""),
    "escaped": ("&lt;think&gt;\n", "\n&lt;/think&gt;\n", ""),
    "wide": ("＜think＞\n", "\n＜/think＞\n", ""),
    "small brackets": ("[think]\n", "\n[/think]\n", ""),
    "ollama": ("Thinking...\n", "\n...done thinking.\n\n", ""),
    "begun and ended": ("【思考開始】\n", "\n【思考終了】\n", ""),
    "japanese brackets": ("【思考】\n", "\n【/思考】\n", ""),
    "granite": ("Here is my thought process:\n", "\nHere is my response:\n", ""),
}
"""name: (before a thought, behind it, behind the answer)."""
WEAK = ("harmony with blanks", "harmony, a word a line")
"""What ends these may also stand in a sentence."""

HEADINGS = {
    "a word": ("思考過程\n", "\n最終回答\n"),
    "a colon": ("下書き:\n", "\n最終回答:\n"),
    "wide": ("下書き：\n", "\n回答：\n"),
    "a title": ("### 思考過程\n", "\n### 最終回答\n\n"),
    "another title": ("## 検討\n", "\n## 回答\n"),
    "bold": ("**思考過程**\n", "\n**最終回答**\n\n"),
    "brackets": ("【下書き】\n", "\n【最終回答】\n"),
    "a number": ("1. 思考プロセス\n", "\n2. 最終回答\n"),
    "english": ("Thought process:\n", "\nFinal answer:\n"),
    "an english title": ("# Draft\n\n", "\n# Final Answer\n\n"),
    "bold english": ("**Reasoning**\n\n", "\n**Final Ratings**\n\n"),
    "analysis": ("## Analysis\n\n", "\n## Final answer\n\n"),
    "first draft": ("First draft:\n", "\nMy final answer:\n"),
    "chain": ("Chain of Thought:\n", "\nAnswer:\n"),
    "one title, another": ("### 思考過程\n", "\n### 評価\n\n"),
    "a sentence": ("以下は下書きです。\n", "\n最終回答は以下の通りです。\n"),
    "an english sentence": ("Here is a draft:\n", "\nFinal answer:\n"),
    "showing": ("思考過程を以下に示します。\n", "\n最終回答：\n"),
    "self": ("Self-reflection:\n", "\nFinal scores:\n"),
    "rules": ("=== Draft ===\n", "\n=== Final Answer ===\n"),
    "dashes": ("--- 思考 ---\n", "\n--- 回答 ---\n"),
    "steps": ("Step 1: 下書き\n", "\nStep 2: 最終回答\n"),
    "an icon": ("## 🤔 思考過程\n", "\n## ✅ 最終回答\n"),
    "round brackets": ("（思考中）\n", "\n（回答）\n"),
    "mine": ("【私の考え】\n", "\n【回答】\n"),
    "inside": ("Internal reasoning:\n", "\nFinal answer:\n"),
    "a tag of its own": ("<work>\n", "\n</work>\n"),
    "another tag": ("<pre_answer>\n", "\n</pre_answer>\n"),
    "in one line": ("下書き: まず書いてみる。\n", "\n最終回答: 次のとおり。\n"),
    "html": ("<h3>思考過程</h3>\n", "\n<h3>最終回答</h3>\n"),
    "a first plan": ("最初の案：\n", "\n見直した最終案：\n"),
}
"""name: (above a draft, above the answer)."""
PAIRS = [(FORM, FORM), (FORM, PROSE), (PROSE, FORM), (JSON, FORM), (FORM, TABLE), (TABLE, JSON)]


@pytest.mark.parametrize("family", MARKS)
def test_the_answer_behind_a_thought_is_read(family: str) -> None:
    opened, closed, ended = MARKS[family]
    for draft, final in PAIRS:
        text = f"{opened}{written(draft, DRAFT)}{closed}{written(final, FINAL)}{ended}"

        readings = READER.read(text)

        assert values(readings) == FINAL, text
        assert [r.reason for r in readings.values()] == REASONS[:4], text


@pytest.mark.parametrize("layout", [FORM, PROSE, JSON, TABLE], ids=lambda layout: layout.name)
@pytest.mark.parametrize("finish", ["stop", "length", None])
@pytest.mark.parametrize("family", [name for name in MARKS if name != "answer alone"])
def test_a_thought_alone_has_no_value(family: str, finish: str | None, layout: Layout) -> None:
    opened, closed, _ = MARKS[family]
    thought = f"{opened}{written(layout, DRAFT)}"

    for text in (f"{thought}{closed}", thought, f"{thought}\n"):
        assert values(READER.read(text, finish)) == [None] * 4


LEAVING = ("a fence", "a fence of waves", "folded", "folded by a front end", "a comment")


@pytest.mark.parametrize("family", sorted(set(MARKS) - {*WEAK, *LEAVING, "answer alone"}))
def test_a_thought_without_a_beginning_began_with_the_text(family: str) -> None:
    _, closed, _ = MARKS[family]
    if family == "gemma's channel":
        closed = "<channel|>"

    readings = READER.read(f"{written(PROSE, DRAFT)}\n{closed}{written(FORM, FINAL)}")

    assert all(value in (None, right) for value, right in zip(values(readings), FINAL, strict=True))


@pytest.mark.parametrize("family", MARKS)
def test_a_thought_cut_anywhere_leaves_no_value_of_its_own(family: str) -> None:
    opened, closed, ended = MARKS[family]
    text = f"{opened}{written(FORM, DRAFT)}{closed}{written(PROSE, FINAL)}{ended}"
    begin = len(opened) if family == "answer alone" else 0

    for end in range(begin, len(text), 3):
        if family == "answer alone" and end <= text.index(closed) + len(closed):
            continue  # nothing says yet that it was a draft
        readings = READER.read(text[:end], "length")
        assert not set(values(readings)) & set(DRAFT), text[:end]


@pytest.mark.parametrize("heading", HEADINGS)
def test_a_draft_under_a_heading_never_gives_its_value(heading: str) -> None:
    above, below = HEADINGS[heading]
    for draft, final in PAIRS:
        text = f"{above}{written(draft, DRAFT)}\n{below}{written(final, FINAL)}"

        readings = READER.read(text)

        assert [r.cause for r in readings.values()] == [Cause.AMBIGUOUS] * 4, text
        assert all(r.value is None for r in readings.values()), text


@pytest.mark.parametrize("heading", HEADINGS)
def test_a_draft_that_agrees_is_no_objection(heading: str) -> None:
    above, below = HEADINGS[heading]

    readings = READER.read(f"{above}{written(FORM, FINAL)}\n{below}{written(PROSE, FINAL)}")

    assert values(readings) == FINAL


@pytest.mark.parametrize("heading", [h for h in HEADINGS if h != "analysis"])
def test_a_draft_alone_under_a_heading_has_no_value(heading: str) -> None:
    text = f"{HEADINGS[heading][0]}{written(FORM, DRAFT)}"

    assert values(READER.read(text)) == [None] * 4
    assert values(READER.read(text[:-3], "length")) == [None] * 4


def test_a_thought_in_a_thought_ends_neither() -> None:
    inner = f"<think>\n{written(FORM, DRAFT)}\n</think>\n"
    text = f"<think>\n{inner}{written(FORM, DRAFT)}\n</think>\n{written(FORM, FINAL)}"

    assert values(READER.read(text)) == FINAL
    assert values(READER.read(text[: text.rindex("</think>")], "length")) == [None] * 4


@pytest.mark.parametrize(
    "between",
    [
        "<think>x</think>",
        "<|return|><|start|>assistant<|channel|>final<|message|>",
        "<|im_end|>\n<|im_start|>assistant\n",
        "\n```thinking\nx\n```\n",
    ],
)
def test_two_answers_with_a_thought_between_have_to_agree(between: str) -> None:
    begun = "<|channel|>final<|message|>"
    text = f"{begun}{written(FORM, DRAFT)}{between}{written(PROSE, [31, 72, 33, 34])}"

    assert values(READER.read(text)) == [31, None, 33, 34]


@pytest.mark.parametrize(
    "tag",
    ["answers", "ratings", "回答", "output", "Q1", "p", "form", "evaluation", "survey_response"],
)
def test_a_tag_for_an_answer_holds_one(tag: str) -> None:
    assert values(READER.read(f"<{tag}>\n{written(FORM, FINAL)}\n</{tag}>")) == FINAL


def test_what_stands_in_a_field_for_thoughts_is_no_answer() -> None:
    draft, final = (dict(zip(LABELS, numbers, strict=True)) for numbers in (DRAFT, FINAL))

    assert values(READER.read(json.dumps({"thinking": draft, "answer": final}))) == FINAL
    assert values(READER.read(json.dumps({"draft": draft}))) == [None] * 4


def test_a_thought_may_speak_of_its_marks() -> None:
    text = f"<think>\nThe <think> tag is mine.\n</think>\n{written(FORM, FINAL)}"

    assert values(READER.read(text)) == FINAL


def test_a_final_part_in_other_words_speaks_against_what_stands_before() -> None:
    text = f"{written(FORM, DRAFT)}\n\n最終回答\n\n{written(PROSE, [31, 72, 33, 34])}"

    assert values(READER.read(text)) == [31, None, 33, 34]


def test_the_heading_of_a_reason_is_no_heading_of_a_draft() -> None:
    text = "\n\n".join(
        f"### {q}. {label}\n**Score:** {n}\n**Reasoning:**\nThe voice is warm and close."
        for (q, label), n in zip(LABELS.items(), FINAL, strict=True)
    )

    assert values(READER.read(text)) == FINAL


def test_an_analysis_may_be_the_answer() -> None:
    assert values(READER.read(f"## Analysis\n\n{written(FORM, FINAL)}")) == FINAL


@pytest.mark.parametrize("finish", ["stop", "length"])
def test_a_draft_with_a_fence_of_its_own_stays_inside_the_thought(finish: str) -> None:
    draft = written(next(layout for layout in LAYOUTS if layout.name == "fenced"), DRAFT)
    thought = f"```thinking\n{draft}\n"
    assert values(READER.read(thought, finish)) == [None] * 4
    final = written(LAYOUTS[0], [1, 2, 3, 4])
    assert values(READER.read(f"{thought}```\n\n{final}", "stop")) == [1, 2, 3, 4]


@settings(max_examples=100)
@given(
    family=st.sampled_from(sorted(set(MARKS) - {"answer alone"})),
    draft=st.sampled_from(LAYOUTS),
    final=st.sampled_from(LAYOUTS),
    numbers=st.lists(st.integers(0, 29) | st.integers(40, 100), min_size=4, max_size=4),
    cut=st.floats(0, 1),
)
def test_whatever_the_layouts_a_thought_never_gives_the_value(
    family: str, draft: Layout, final: Layout, numbers: list[int], cut: float
) -> None:
    opened, closed, ended = MARKS[family]
    text = f"{opened}{written(draft, DRAFT)}{closed}{written(final, numbers)}{ended}"

    for finish, said in (("stop", text), ("length", text[: round(cut * len(text))])):
        readings = READER.read(said, finish)
        for value, right in zip(values(readings), numbers, strict=True):
            assert value in (None, right)


# --- ends, turns, and marks that nobody knows -------------------------------------------------

ENDS = [
    *("<|im_end|>", "</s>", "<|eot_id|>", "<|end|>", "<end_of_turn>", "<|endoftext|>", "<eos>"),
    *("<|return|>", "<｜end▁of▁sentence｜>", "<|end_of_text|>", "<|END_OF_TURN_TOKEN|>", "<turn|>"),
    *("</answer>", "<|END_RESPONSE|>", "<|eom_id|>", "\n<|im_end|>\n", "</s><s>", "<|endofturn|>"),
]


@pytest.mark.parametrize("end", ENDS)
def test_a_mark_of_the_end_stays_in_no_reason(end: str) -> None:
    readings = READER.read(written(FORM, FINAL) + end)

    assert values(readings) == FINAL
    assert [r.reason for r in readings.values()] == REASONS[:4]


@pytest.mark.parametrize("end", ENDS)
def test_a_number_before_a_mark_of_the_end_is_whole(end: str) -> None:
    readings = READER.read(f"Q1: 80\nQ2: 45\nQ3: 20\nQ4: 10{end}", "stop")

    assert values(readings) == [80, 45, 20, 10]


@pytest.mark.parametrize(
    "turn",
    [
        "<|im_end|>\n<|im_start|>user\n",
        "<|eot_id|><|start_header_id|>user<|end_header_id|>\n\n",
        "<end_of_turn>\n<start_of_turn>user\n",
        "<|endoftext|>Human: ",
        "</s>[INST] ",
        "<｜end▁of▁sentence｜><｜User｜>",
    ],
)
def test_what_follows_the_end_was_not_asked(turn: str) -> None:
    text = f"{written(FORM, FINAL)}{turn}次の作品について\n{written(PROSE, DRAFT)}"
    readings = READER.read(text)

    assert all(v in (None, right) for v, right in zip(values(readings), FINAL, strict=True))
    if not turn.startswith("</s>"):
        assert values(readings) == FINAL


@pytest.mark.parametrize(
    ("asked", "answered"),
    [
        ("<|im_start|>user\n", "<|im_end|>\n<|im_start|>assistant\n"),
        (
            "<|start_header_id|>user<|end_header_id|>",
            "<|start_header_id|>assistant<|end_header_id|>",
        ),
        ("[INST]", "[/INST]"),
        ("<start_of_turn>user\n", "<end_of_turn>\n<start_of_turn>model\n"),
        ("<｜User｜>", "<｜Assistant｜>"),
        ("<|user|>\n", "<|assistant|>\n"),
    ],
)
def test_a_question_sent_back_is_no_answer(asked: str, answered: str) -> None:
    text = f"{asked}{written(FORM, DRAFT)}{answered}{written(PROSE, FINAL)}"

    assert values(READER.read(text)) == FINAL


STRANGE = [
    *("<|something|>", "<|start_wondering|>", "◁muse▷", "<unused7>", "[/SOMETHING]", "<foo:bar>"),
    *("<extra_id_0>", "<|reserved_special_token_7|>", "[SOME_THING]", "<|mode>"),
]


@pytest.mark.parametrize("mark", STRANGE)
@pytest.mark.parametrize("place", ["before", "between"])
def test_beside_a_mark_that_nobody_knows_nothing_is_believed(mark: str, place: str) -> None:
    text = written(FORM, FINAL)
    text = f"{mark}\n{text}" if place == "before" else text.replace("\nQ3", f"\n{mark}\nQ3", 1)

    readings = READER.read(text)

    assert values(readings) == [None] * 4
    assert {r.cause for r in readings.values()} == {Cause.NOT_A_NUMBER}
    assert {r.written for r in readings.values()} == {(mark,)}


@pytest.mark.parametrize("mark", STRANGE)
def test_in_a_thought_a_strange_mark_says_nothing(mark: str) -> None:
    assert values(READER.read(f"<think>{mark}</think>{written(FORM, FINAL)}")) == FINAL


ORDINARY = [
    *("a < b > c", "<b>太字</b>", "<br>", "[SNS]で見た", "[80]", "[AI]", "<https://example.org>"),
    *("<p class='x'>", "3 < 5", "|||", "<<引用>>", "[1]", "```\n詩\n```", "<Q1>", "◁ 戻る"),
]


@pytest.mark.parametrize("written_", ORDINARY)
def test_what_only_looks_like_a_mark_is_text(written_: str) -> None:
    shown = hide_thoughts(f"良い。{written_} 以上")

    assert shown.text == f"良い。{written_} 以上"
    assert shown.strange is None


@given(
    text=st.lists(
        st.sampled_from(
            [*(m for marks in MARKS.values() for m in marks), *ENDS, *STRANGE, "あ", "\n"]
        )
        | st.text(max_size=4)
    ).map("".join)
)
def test_every_character_keeps_its_place(text: str) -> None:
    shown = hide_thoughts(text).text

    assert len(shown) == len(text)
    assert all(new in (old, " ") for new, old in zip(shown, text, strict=True))


def test_a_tag_with_the_name_of_a_question_is_no_thought() -> None:
    asked = question_set(items={"Q1": {"label": "Reflection"}, "Q2": {"label": "Draft"}})
    text = "### Reflection\n80\n\n### Draft\n45\n"

    assert values(Reader(asked).read(text)) == [80, 45]
    assert hide_thoughts("<reflection>80</reflection>", frozenset(["reflection"])).text.strip() == (
        "<reflection>80</reflection>"
    )
