"""Answers in every layout that models are known to use, written from known values and reasons."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

LABELS = {"Q1": "面白さ", "Q2": "驚き", "Q3": "悲しみ", "Q4": "怒り"}
ENGLISH = {"Q1": "Fun", "Q2": "Surprise", "Q3": "Sadness", "Q4": "Anger"}
Rows = Sequence[tuple[str, str, int, str]]
"""Id, label, value and reason of each question."""


@dataclass(frozen=True)
class Layout:
    """One way to write an answer."""

    name: str
    write: Callable[[Rows], str]
    english: bool = False
    many_lines: bool = False
    """Whether a reason of several lines can be written so."""


def rows(values: Sequence[int], reasons: Sequence[str], labels: dict[str, str]) -> Rows:
    return [
        (q, label, v, r) for (q, label), v, r in zip(labels.items(), values, reasons, strict=True)
    ]


def block(template: str, gap: str = "\n") -> Callable[[Rows], str]:
    """Write each question by a template."""

    def write(asked: Rows) -> str:
        return gap.join(
            template.format(q=q, label=label, v=v, r=r, n=q[1:], w=wide(v))
            for q, label, v, r in asked
        )

    return write


def wide(value: object) -> str:
    return str(value).translate({code: code + 0xFEE0 for code in range(0x21, 0x7F)})


def all_wide(asked: Rows) -> str:
    return block("{q}. {label}(数値): {v}\n{q}. {label}(理由): {r}")(asked).translate(
        {code: code + 0xFEE0 for code in range(0x21, 0x7F)} | {0x20: 0x3000}
    )


def as_json(shape: Callable[[str, str, int, str], dict[str, object]]) -> Callable[[Rows], str]:
    def write(asked: Rows) -> str:
        found: dict[str, object] = {}
        for row in asked:
            found |= shape(*row)
        return json.dumps(found, ensure_ascii=False, indent=2)

    return write


def fenced(write: Callable[[Rows], str]) -> Callable[[Rows], str]:
    return lambda asked: f"以下が回答です。\n\n```json\n{write(asked)}\n```\n"


def listed(asked: Rows) -> str:
    return json.dumps(
        {
            "answers": [
                {"id": q, "label": label, "score": v, "reason": r} for q, label, v, r in asked
            ]
        },
        ensure_ascii=False,
    )


def split_json(asked: Rows) -> str:
    return json.dumps(
        {"values": {q: v for q, _, v, _ in asked}, "reasons": {q: r for q, _, _, r in asked}},
        ensure_ascii=True,
    )


def table(head: str, row: str, rule: str) -> Callable[[Rows], str]:
    return lambda asked: "\n".join(
        ["評価は次のとおりです。", "", head, rule, block(row)(asked), "", "以上です。"]
    )


def across(asked: Rows) -> str:
    return "\n".join(
        "| " + " | ".join(cells) + " |"
        for cells in (
            ["項目", *(label for _, label, _, _ in asked)],
            ["---"] * (len(asked) + 1),
            ["数値", *(str(v) for _, _, v, _ in asked)],
            ["理由", *(r for _, _, _, r in asked)],
        )
    )


def reversed_order(asked: Rows) -> str:
    return block("{q}. {label}(数値): {v}\n{q}. {label}(理由): {r}")(asked[::-1])


def values_then_reasons(asked: Rows) -> str:
    return (
        block("{q}. {label}(数値): {v}")(asked) + "\n\n" + block("{q}. {label}(理由): {r}")(asked)
    )


FORM = "{q}. {label}(数値): {v}\n{q}. {label}(理由): {r}"
UNFILLED = "\n".join(f"{q}. {x}(数値): [0-100]\n{q}. {x}(理由): [説明]" for q, x in LABELS.items())

LAYOUTS = [
    Layout("the form", block(FORM), many_lines=True),
    Layout("blank lines between", block(FORM, "\n\n"), many_lines=True),
    Layout("brackets filled in", block("{q}. {label}(数値): [{v}]\n{q}. {label}(理由): [{r}]")),
    Layout("windows", lambda a: block(FORM, "\n\n")(a).replace("\n", "\r\n")),
    Layout(
        "wide brackets",
        block("{q}．{label}（数値）：{w}\n{q}．{label}（理由）：{r}"),
        many_lines=True,
    ),
    Layout("all wide", all_wide),
    Layout("colon first", block("{q}. {label}: (数値): {v}\n{q}. {label}: (理由): {r}")),
    Layout("plain words", block("{q}. {label} 数値: {v}\n{q}. {label} 理由: {r}", "\n\n")),
    Layout("no word", block("{q}. {label}: {v}\n理由: {r}", "\n\n"), many_lines=True),
    Layout("rating", block("{label}の評価: {v}\n{label}の理由: {r}", "\n\n"), many_lines=True),
    Layout("degree", block("{label}度：{w}\n理由：{r}", "\n\n")),
    Layout("corner quotes", block("「{label}」：{v}\n理由：{r}", "\n\n")),
    Layout("square quotes", block("[{label}]: {v}\n理由: {r}", "\n\n")),
    Layout("keys", block("{q}value: {v}\n{q}reason: {r}"), many_lines=True),
    Layout("snake keys", block("{q}_value = {v}\n{q}_reason = {r}")),
    Layout("of it", block("{q}の評価: {v}点\n{q}の理由: {r}")),
    Layout("points", block("{q}. {label}(数値): {v}点\n{q}. {label}(理由): {r}")),
    Layout("of a hundred", block("{q}. {label}(数値): {v}/100\n{q}. {label}(理由): {r}")),
    Layout(
        "out of full marks", block("{q}. {label}(数値): 100点満点中{v}点\n{q}. {label}(理由): {r}")
    ),
    Layout(
        "bold labels", block("**{q}. {label}(数値):** {v}\n**{q}. {label}(理由):** {r}", "\n\n")
    ),
    Layout("bold values", block("{q}. {label}(数値): **{v}**\n{q}. {label}(理由): {r}", "\n\n")),
    Layout("bold lines", block("**{q}. {label}(数値): {v}**\n**{q}. {label}(理由):** {r}", "\n\n")),
    Layout("bold names", block("**{q}. {label}**\n数値: {v}\n理由: {r}", "\n\n"), many_lines=True),
    Layout("bullets", block("- {q}. {label}(数値): {v}\n- {q}. {label}(理由): {r}", "\n\n")),
    Layout("dots", block("・{label}：{v}点\n　理由：{r}", "\n\n")),
    Layout("nested bullets", block("- **{q}. {label}**\n  - **数値**: {v}\n  - **理由**: {r}")),
    Layout(
        "headings", block("### {q}. {label}\n- 数値: {v}\n- 理由: {r}", "\n\n"), many_lines=True
    ),
    Layout(
        "headings and a rule",
        block("### {q}. {label}\n**数値**: {v}\n**理由**: {r}", "\n\n---\n\n"),
    ),
    Layout("headings, bare bullets", block("### {q}. {label}\n- {v}\n- {r}", "\n\n")),
    Layout("headings by label", block("## {label}について\n\n評価：{v}点\n\n理由：{r}", "\n\n")),
    Layout(
        "headings of headings",
        block("## {q}. {label}\n### 評価\n{v}\n### 理由\n{r}", "\n\n"),
        many_lines=True,
    ),
    Layout("value in the heading", block("### {q}. {label}: {v}\n\n{r}", "\n\n")),
    Layout(
        "question restated",
        block("{q}. {label}をどのくらい感じましたか？\n回答: {v}\n理由: {r}", "\n\n"),
    ),
    Layout(
        "value on the next line",
        block("{q}. {label}(数値):\n{v}\n{q}. {label}(理由):\n{r}"),
        many_lines=True,
    ),
    Layout("bracket on the next line", block("{q}. {label}\n[{v}]\n理由: {r}", "\n\n")),
    Layout("numbered", block("{n}. {label}: {v}\n   理由: {r}", "\n\n")),
    Layout("circled", block("① {label}：{v}\n（理由）{r}", "\n\n")),
    Layout("id only", block("{q}: {v}\n理由: {r}", "\n\n")),
    Layout("id with a dot", block("{q}. {v}点\n理由: {r}", "\n\n")),
    Layout("dash", block("**{label}** - {v}\n理由: {r}", "\n\n")),
    Layout("sentence", block("{label}は{v}点です。\n理由：{r}", "\n\n")),
    Layout("spaced", block("{q} {label}　{v}点\n理由：{r}", "\n\n")),
    Layout("reason in brackets", block("{label}: {v}（{r}）")),
    Layout("reason behind a dash", block("- {q}. {label}: {v} - {r}")),
    Layout("reason behind a full stop", block("{label}：{v}点。{r}", "\n")),
    Layout("reason behind its word", block("{q}. {label}: {v} 理由: {r}")),
    Layout("number in brackets", block("{label}（{v}点）：{r}", "\n")),
    Layout("reason below without a word", block("{q}. {label}: {v}\n{r}", "\n\n")),
    Layout("reason bullet", block("{q}. {label}: {v}\n- {r}", "\n\n")),
    Layout("reason in its bracket", block("{q}. {label}: {v}\n【理由】{r}", "\n\n")),
    Layout("scale in the label", block("{label}（0〜100）：{v}\n理由：{r}", "\n\n")),
    Layout(
        "scale in the bracket", block("{q}. {label}(数値, 0-100): {v}\n{q}. {label}(理由): {r}")
    ),
    Layout("word of name", block("評価（{label}）：{v}\n理由（{label}）：{r}", "\n\n")),
    Layout("quoted lines", block("> {q}. {label}(数値): {v}\n> {q}. {label}(理由): {r}")),
    Layout("commas", block("{q},{label},{v},{r}")),
    Layout("yaml", block("{q}:\n  value: {v}\n  reason: {r}")),
    Layout("emoji", block("😄 **{label}**：{v}\n💬 理由：{r}", "\n\n")),
    Layout("reason first", block("### {q}. {label}\n理由: {r}\n数値: {v}", "\n\n")),
    Layout("another order", reversed_order),
    Layout("values, then reasons", values_then_reasons),
    Layout(
        "table", table("| 質問 | 数値 | 理由 |", "| {q}. {label} | {v} | {r} |", "|---|---|---|")
    ),
    Layout(
        "bold table",
        table(
            "| **項目** | **評価** | **理由** |", "| **{label}** | **{v}** | {r} |", "|:--|:-:|--:|"
        ),
    ),
    Layout(
        "table with full marks",
        table(
            "| 項目 | 満点 | 点数 | コメント |",
            "| {label} | 100 | {v} | {r} |",
            "|---|---|---|---|",
        ),
    ),
    Layout(
        "table with numbers",
        table(
            "| No. | 項目 | 評価（0〜100） | 理由 |",
            "| {n} | {label} | {v}点 | {r} |",
            "| - | - | - | - |",
        ),
    ),
    Layout(
        "table without edges", table("質問 | 数値 | 理由", "{q} | {v} | {r}", "--- | --- | ---")
    ),
    Layout(
        "table, parts as rows",
        table(
            "| 項目 | 回答 |",
            "| {q}. {label}(数値) | {v} |\n| {q}. {label}(理由) | {r} |",
            "|---|---|",
        ),
    ),
    Layout("table across", across),
    Layout("json", as_json(lambda q, _x, v, r: {q: {"value": v, "reason": r}}), many_lines=True),
    Layout(
        "fenced json",
        fenced(as_json(lambda q, _x, v, r: {q: {"value": v, "reason": r}})),
        many_lines=True,
    ),
    Layout(
        "flat json",
        as_json(lambda q, _x, v, r: {f"{q}_value": v, f"{q}_reason": r}),
        many_lines=True,
    ),
    Layout("flat camel json", as_json(lambda q, _x, v, r: {f"{q}value": v, f"{q}reason": r})),
    Layout(
        "labels in json",
        fenced(as_json(lambda _q, x, v, r: {x: {"数値": v, "理由": r}})),
        many_lines=True,
    ),
    Layout(
        "form keys in json",
        as_json(lambda q, x, v, r: {f"{q}. {x}(数値)": v, f"{q}. {x}(理由)": r}),
    ),
    Layout("labels and reasons in json", as_json(lambda _q, x, v, r: {x: v, f"{x}の理由": r})),
    Layout(
        "texts in json",
        as_json(lambda q, x, v, r: {f"{q}. {x}": {"score": f"{v}点", "explanation": r}}),
    ),
    Layout("list in json", listed, many_lines=True),
    Layout("values and reasons in json", split_json, many_lines=True),
    Layout("form restated", lambda a: f"{UNFILLED}\n\n{block(FORM)(a)}"),
    Layout(
        "thought aloud",
        lambda a: f"<think>\nQ1. 面白さ(数値): 12\n面白さ: 3\n</think>\n{block(FORM)(a)}",
    ),
    Layout(
        "preamble",
        lambda a: f"承知しました。0から100で評価します。50が普通です。\n\n{block(FORM)(a)}",
    ),
    Layout("summary", lambda a: f"{block(FORM)(a)}\n\n以上、全体としては70点ほどの作品です。"),
    Layout(
        "summary heading",
        lambda a: (
            f"{block('### {q}. {label}' + chr(10) + '数値: {v}' + chr(10) + '理由: {r}', chr(10) * 2)(a)}\n\n## 総評\n評価: 99"
        ),
    ),
    Layout("fenced", lambda a: f"```\n{block(FORM)(a)}\n```\n"),
    Layout(
        "english form",
        block("{q}. {label} (score): {v}\n{q}. {label} (reason): {r}"),
        english=True,
        many_lines=True,
    ),
    Layout("english ids", block("{q} (score): {v}\n{q} (reason): {r}"), english=True),
    Layout(
        "english labels",
        block("{label}: {v}/100\nReason: {r}", "\n\n"),
        english=True,
        many_lines=True,
    ),
    Layout(
        "english bold",
        block("**{q}: {label}**\n- **Score:** {v}\n- **Reason:** {r}", "\n\n"),
        english=True,
    ),
    Layout("english rating", block("{label} rating: {v}\nRationale: {r}", "\n\n"), english=True),
    Layout(
        "english headings",
        block("## {q}. {label}\n\nRating: {v} out of 100\n\nExplanation: {r}", "\n\n"),
        english=True,
    ),
    Layout(
        "english score for",
        block("Score for {label}: {v}\nReason for {label}: {r}", "\n\n"),
        english=True,
    ),
    Layout("english dash", block("- **{label}** (0-100): {v} - {r}"), english=True),
    Layout(
        "english json",
        as_json(lambda _q, x, v, r: {x.lower(): {"rating": v, "reason": r}}),
        english=True,
        many_lines=True,
    ),
    Layout(
        "english table",
        lambda a: (
            "| Question | Score | Reason |\n|---|---|---|\n" + block("| {label} | {v} | {r} |")(a)
        ),
        english=True,
    ),
]

REASONS = [
    "少年と懐中時計の短い会話が、読後に静かな余韻を残すから。",
    "時計が話し出す場面は、1927年の作品とは思えないほど新鮮だった。",
    "別れの気配が漂うが、涙を誘うほどではないと感じました。",
    "怒りを覚えるような出来事は、ほとんど描かれていない。",
    "面白さよりも寂しさが勝る結末で、30回は読み返したくなる。",
    "「人が見ていなくても」という一言に、作者の信念がこめられている。",
    "淡々とした語り口（とくに冒頭）が効いている。",
    "駝鳥の瞳に、人間の傲慢さが映っているように思えた。",
]
LONG_REASONS = [
    "少年の視点が良い。\n語り口も軽やかで、最後まで飽きない。",
    "- 時計が話すこと\n- 結末が逆転すること",
    "静かな物語である。\nただし、\n余韻は深い。",
    "怒りは感じない。\n登場するものはみな穏やかだ。",
]
ENGLISH_REASONS = [
    "The dialogue is light and it stays with you.",
    "A talking watch is unusual, even for 1927.",
    "There is a quiet farewell in the last line.",
    "Nobody in it gives a cause for that.",
]
VALUES = [[80, 60, 10, 0], [100, 55, 7, 33], [0, 1, 99, 100], [42, 42, 42, 42], [65, 70, 75, 85]]


@dataclass(frozen=True)
class Answer:
    """A written answer, and what is in it."""

    layout: str
    text: str
    values: dict[str, int]
    reasons: dict[str, str]


def answers() -> Iterator[Answer]:
    """Yield every layout with several values and reasons."""
    for layout in LAYOUTS:
        for number, values in enumerate(VALUES):
            sets = [[REASONS[(number + i) % len(REASONS)] for i in range(4)]]
            if layout.english:
                sets = [[ENGLISH_REASONS[(number + i) % 4] for i in range(4)]]
            if layout.many_lines:
                sets.append([LONG_REASONS[(number + i) % 4] for i in range(4)])
            for reasons in sets:
                labels = ENGLISH if layout.english else LABELS
                yield Answer(
                    layout.name,
                    layout.write(rows(values, reasons, labels)),
                    dict(zip(LABELS, values, strict=True)),
                    dict(zip(LABELS, reasons, strict=True)),
                )
