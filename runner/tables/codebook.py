"""Explains every column of an exported table: type, unit, allowed values, how missing is written."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import polars as pl

from runner.config.checks import LANGUAGES
from runner.core.definition import cells_in, factors_in
from runner.core.model import ItemKind, Kept
from runner.tables.items import (
    CAUSES,
    MEANINGS,
    Item,
    Items,
    allowed_of,
    allowed_of_all,
    range_of_all,
)
from runner.tables.scales import MISSED, items_of

NEVER = ("空にならない", "never empty")


@dataclass(frozen=True, slots=True)
class Column:
    """What a column means, in Japanese and English."""

    allowed: tuple[str, str]
    """Unit and allowed values."""
    meaning: tuple[str, str]
    empty: tuple[str, str] = NEVER
    """When the cell is empty; nothing else stands for a missing value."""


_TEXT = ("文字列", "text")
_TIME = ("UTC の日時", "date and time in UTC")
_COUNT = ("0 以上の整数", "whole number from 0")
_BOOL = ("true, false", "true, false")
_NO_ANSWER = ("回答がないとき", "when there is no answer")
_UNKNOWN = ("分からないとき（0 ではない）", "when it is not known (it is not 0)")
_IMPORTED = ("取り込んだ表では空", "in an imported table")
_OURS = ("取り込んだ表でなければ空", "unless the row is imported")
_MISSING = (
    "読み取れなかったとき。欠測は空欄で、0 や −1 とは書かない",
    "when it could not be read; a missing value is an empty cell, never 0 or -1",
)

COLUMNS: Mapping[str, Column] = {
    "run": Column(
        ("実験／フォルダー", "experiment/folder"),
        ("どの実行の行か", "which run the row belongs to"),
    ),
    "imported": Column(
        _BOOL, ("取り込んだ表の行か", "whether the row comes from an imported table")
    ),
    "experiment": Column(
        ("文字・数字・-・_", "letters, digits, - and _"), ("実験の名前", "name of the experiment")
    ),
    "provider": Column(_TEXT, ("モデルの提供者", "who provides the model")),
    "developer": Column(
        _TEXT,
        (
            "モデルの提供者。模擬実行では前に REHEARSAL が付く",
            "who provides the model; in a rehearsal REHEARSAL stands before it",
        ),
    ),
    "model": Column(_TEXT, ("依頼したモデル名", "name of the model that was asked for")),
    "rehearsal": Column(
        _BOOL,
        (
            "true：模擬サーバーの作った回答で、どのモデルの回答でもない",
            "true: the answer was made up by the emulator; no model gave it",
        ),
    ),
    "persona": Column(
        ("識別子（study.csv では名前）", "id (in study.csv the name)"),
        ("読み手の役割", "who the model is asked to be"),
    ),
    "persona_name": Column(_TEXT, ("ペルソナの名前", "name of the persona")),
    "text": Column(
        ("識別子（study.csv では題名）", "id (in study.csv the title)"),
        ("読んだテキスト", "which text was read"),
    ),
    "title": Column(_TEXT, ("テキストの題名", "title of the text")),
    "author": Column(_TEXT, ("テキストの作者", "author of the text"), _IMPORTED),
    "temperature": Column(
        ("0 以上の数、単位なし", "number from 0, no unit"),
        ("送信した温度", "temperature that was sent"),
        ("温度を送信しなかったとき", "when none was sent"),
    ),
    "trial": Column(
        ("1 以上の整数", "whole number from 1"),
        ("同じ条件の何回目か", "which repetition of the same condition"),
    ),
    "custom_id": Column(
        ("条件と試行、例 p1_t1_n01", "condition and trial, as p1_t1_n01"),
        ("依頼の名前", "name of the request"),
        _IMPORTED,
    ),
    "source_row": Column(
        ("2 以上の整数", "whole number from 2"),
        ("取り込んだファイルの行（見出しが 1）", "row of the imported file; its heading is 1"),
        _OURS,
    ),
    "source_timestamp": Column(
        _TEXT,
        ("取り込んだファイルの日時、書かれたまま", "time in the imported file, as it was written"),
        _OURS,
    ),
    "timestamp": Column(
        ("ISO 8601、UTC", "ISO 8601, UTC"),
        (
            "回答の日時。提供者が示さなければバッチの終わった日時。取り込んだ表では書かれたまま",
            "when it was answered; where the provider does not say, when its batch ended; of an "
            "imported table as it was written",
        ),
        ("回答がまだないとき", "when there is no answer yet"),
    ),
    "status": Column(
        ("success, retry_success, failed, open, imported",) * 2,
        (
            "success：最初に尋ねたとき全質問を読み取れた。retry_success：尋ね直して読み取れた。failed：決められた回数までに"
            "読み取れなかった。open：未完了。imported：取り込んだ行で、結末は分からない",
            "success: all questions read when first asked; retry_success: after being asked again; "
            "failed: not within the allowed attempts; open: not ended; imported: not known",
        ),
    ),
    "attempts": Column(_COUNT, ("回答があった試みの数", "how often it was answered"), _IMPORTED),
    "lost": Column(
        _COUNT,
        ("回答なしに終わった試みの数", "how many attempts ended without an answer"),
        _IMPORTED,
    ),
    "attempt": Column(
        ("1 以上の整数", "whole number from 1"), ("何番目の試みか", "which attempt of the request")
    ),
    "question": Column(("識別子、例 Q1", "id, as Q1"), ("質問", "which question")),
    "label": Column(_TEXT, ("質問の名前", "what the question is called")),
    "value": Column(
        ("質問の範囲の数", "number within the question's range"),
        ("読み取った値", "the value that was read"),
        _MISSING,
    ),
    "choice": Column(
        ("選択肢の識別子", "id of an option"),
        ("選択式の質問で選ばれた選択肢", "the option or options chosen, or their order"),
        (
            "数値の質問、または読み取れなかったとき。欠測は空欄で、0 や −1 とは書かない",
            "for a question with a number, and when it could not be read; a missing value is an empty "
            "cell, never 0 or -1",
        ),
    ),
    "said": Column(
        _TEXT,
        ("文章や JSON で答える質問の回答", "the answer, where it is a text or JSON"),
        (
            "ほかの質問、または読み取れなかったとき",
            "for any other question, and when it could not be read",
        ),
    ),
    "reason": Column(_TEXT, ("値の理由", "the reason given for the value"), _MISSING),
    "pattern": Column(
        _TEXT,
        ("値の場所を見つけたパターンの名前", "name of the pattern that found the value's place"),
        ("どれも見つけなかったとき", "when none did"),
    ),
    "cause": Column(
        (
            "missing, out_of_range, ambiguous, not_a_number, other_scale, no_reason, refused, truncated, "
            "blocked",
        )
        * 2,
        (
            "なぜ読み取れなかったか。no_reason では値は正しく読めており、理由だけがない",
            "why it could not be read; with no_reason the value itself was read, only a reason lacks",
        ),
        ("読み取れたとき、または回答がないとき", "when it was read, or there is no answer"),
    ),
    "written": Column(
        _TEXT,
        (
            "値として採れないとき、そこに書かれていたもの（範囲外の数、食い違う二つの数など）。複数なら「 / 」で区切る",
            "what stands there when it cannot be taken as the value: the number out of range, or both "
            "of two that contradict each other, with ' / ' between them",
        ),
        (
            "値を採れたとき、何も書かれていないとき、または古い版の表",
            "when the value was taken, nothing stands there, or the table is of an older version",
        ),
    ),
    "order": Column(
        ("選択肢の識別子、「; 」区切り", "ids of options, with '; ' between"),
        ("この試行で示した選択肢の順序", "the order in which this trial showed the options"),
        ("選択肢のない質問で", "for a question without options"),
    ),
    "checks_missed": Column(
        ("0 以上の整数", "whole number from 0"),
        (
            "期待した回答と違った注意確認の数",
            "how many attention checks were answered otherwise than expected",
        ),
        (
            "読み取れない確認があり、ほかに違うものがないとき",
            "when one was not read and none was missed",
        ),
    ),
    "items_order": Column(
        ("質問の識別子、「; 」区切り", "ids of questions, with '; ' between"),
        ("この試行で示した質問の順序", "the order in which this trial showed the questions"),
    ),
    "batch": Column(
        ("例 b0001", "as b0001"), ("こちらでのバッチ名", "our name of the batch"), _NO_ANSWER
    ),
    "remote_batch": Column(
        _TEXT, ("提供者でのバッチ名", "the provider's name of the batch"), _NO_ANSWER
    ),
    "prompt_variant": Column(
        ("plain, enhanced",) * 2, ("質問文の種類", "which wording was sent"), _NO_ANSWER
    ),
    "outcome": Column(
        ("valid, invalid, refused, denied, unreadable, errored, expired, cancelled, missing",) * 2,
        ("採用された試みの結末", "how the attempt that counts ended"),
        ("まだ試みがないとき", "before any attempt ended"),
    ),
    "finish_reason": Column(
        ("stop, length, content_filter, refusal など", "stop, length, content_filter, refusal, …"),
        ("モデルが書き終えた理由", "why the model stopped"),
        _UNKNOWN,
    ),
    "model_returned": Column(
        _TEXT, ("応答に記されたモデル名", "the model as the provider names it"), _UNKNOWN
    ),
    "request_id": Column(_TEXT, ("提供者の依頼番号", "the provider's id of the answer"), _UNKNOWN),
    "input_tokens": Column(
        ("トークン", "tokens"),
        ("提供者が数えた入力", "input, as the provider counted it"),
        _UNKNOWN,
    ),
    "output_tokens": Column(
        ("トークン", "tokens"),
        ("提供者が数えた出力", "output, as the provider counted it"),
        _UNKNOWN,
    ),
    "cache_read_tokens": Column(
        ("トークン", "tokens"),
        ("入力のうち、キャッシュから読まれたもの", "of the input: what a cache had already"),
        _UNKNOWN,
    ),
    "cache_write_tokens": Column(
        ("トークン", "tokens"),
        (
            "入力のうち、数分のキャッシュに書かれたもの",
            "of the input: what was put into a cache for minutes",
        ),
        _UNKNOWN,
    ),
    "cache_write_1h_tokens": Column(
        ("トークン", "tokens"),
        (
            "入力のうち、一時間のキャッシュに書かれたもの",
            "of the input: what was put into a cache for an hour",
        ),
        _UNKNOWN,
    ),
    "cost_usd": Column(
        ("米ドル", "US dollars"),
        (
            "トークン数 × 当時の単価。請求額ではなく、模擬実行では支払いはない",
            "tokens at the prices known then; not a bill, and in a rehearsal nothing was paid",
        ),
        _UNKNOWN,
    ),
    "served_by": Column(
        _TEXT,
        (
            "中継業者が示した、実際に回答した事業者",
            "whose machines answered, as the gateway names them",
        ),
        _UNKNOWN,
    ),
    "charged_usd": Column(
        ("米ドル", "US dollars"),
        ("提供者が示した請求額", "what was charged, as the provider says it"),
        _UNKNOWN,
    ),
    "answered_at": Column(_TIME, ("回答の日時", "when it was answered"), _UNKNOWN),
    "submitted_at": Column(
        _TIME, ("バッチを受け付けた日時", "when the batch was accepted"), _UNKNOWN
    ),
    "completed_at": Column(_TIME, ("バッチが終わった日時", "when the batch ended"), _UNKNOWN),
    "error": Column(
        _TEXT,
        ("提供者の示した誤り", "the error as the provider gave it"),
        ("誤りがないとき", "when there is none"),
    ),
    "raw_answer": Column(
        _TEXT, ("回答の全文、そのまま", "the whole answer, as it came"), _NO_ANSWER
    ),
}

_WORDS = {
    "title": ("コードブック", "Codebook"),
    "head": (
        "| 列 | 型 | 単位・取りうる値 | 意味 | 空欄になるのは |",
        "| column | type | unit, allowed values | meaning | empty |",
    ),
    "study": (
        "study.csv の列は、公表された研究の表と同じ名前と順序である。四つの質問なら 15 列になる。\n",
        "The columns of study.csv have the names and the order of the published study's table: 15 for "
        "four questions.\n",
    ),
    "by_rule": (
        "停止規則により、条件によって試行の数が違う実行がある（規則は manifest.json と summary.json にある）。\n",
        "In some of the runs conditions have different numbers of trials, by a stopping rule (it stands "
        "in manifest.json and summary.json).\n",
    ),
    "questions": ("質問", "Questions"),
    "of": ("{key} {label}：", "{key} {label}: "),
    "columns": ("{count} 列", "{count} columns"),
}

_NOTES = {
    "ja": """\
欠測値は空欄（CSV）または null（parquet、xlsx では空のセル）で、0 や特別な数では書かない。
CSV は UTF-8（BOM 付き）、区切りはコンマ。表計算ソフトが数式と見なす文字列の前には `'` が付く。parquet にはない。
xlsx には raw_answer がなく、日時は UTC で時間帯の表示がない。32,767 文字を超える文字列は切ってある。
""",
    "en": """\
A missing value is an empty cell (CSV, xlsx) or null (parquet), never 0 or a special number.
CSV is UTF-8 with a byte order mark, separated by commas; text that a spreadsheet would take for a formula begins with `'`, which the parquet files do not have.
The xlsx file has no raw_answer; its times are UTC without saying so; text longer than 32,767 characters is cut.
""",
}

_OF_QUESTION = re.compile(
    r"(?P<key>[A-Za-z0-9_-]+?)_?(?P<part>value|reason|pattern|cause|written|order)"
)


"""What each option's id was shown as, by question."""
Factors = Mapping[str, Column]
"""What the columns of factors mean, by column."""
_LEVELS_SHOWN = 12
_CHARACTERS_SHOWN = 200
_ELSEWHERE = ("この要因のない実行で", "in a run without this factor")
_NOT_SWEPT = ("この設定を変えていない実行で", "in a run whose sweep did not vary it")
_NOT_SET = ("設定が null のとき", "where the setting is null")
_NOT_IN_FILE = ("ファイルで空の水準で", "for levels where it is empty in the file")


def of_factors(definitions: Sequence[Mapping[str, Any]]) -> dict[str, Column]:
    """Return what the columns of factors mean in a table of several runs.

    Args:
        definitions: what each of the runs was asked.
    """
    runs = [factors_in(definition) for definition in definitions]
    found: dict[str, Column] = {}
    for factor in dict.fromkeys(name for run in runs for name in run):
        levels = [run[factor] for run in runs if factor in run]
        everywhere = len(levels) == len(runs)
        ids = list(dict.fromkeys(id_ for rows in levels for id_ in rows))
        cells: dict[str, list[Kept]] = {}
        for rows in levels:
            for column, values in cells_in(rows).items():
                cells.setdefault(column, []).extend(values)
        found[factor] = _with_empty(
            COLUMNS.get(factor) or Column(_counted(ids), _of_factor(factor)),
            [] if everywhere else [_ELSEWHERE],
        )
        for column, values in cells.items():
            known = COLUMNS.get(column)
            empty = [] if everywhere else [_ELSEWHERE]
            if known is None and None in values:
                empty.append(_NOT_IN_FILE)
            meaning = _of_file(factor, column.removeprefix(f"{factor}_"))
            found[column] = _with_empty(known or Column(_range(values), meaning), empty)
    return found


def of_settings(runs: Sequence[Mapping[str, Mapping[str, Any]]]) -> dict[str, Column]:
    """Return what the columns of settings mean in which the jobs of sweeps differ.

    Args:
        runs: of each run, its columns with the setting and the value.
    """
    found: dict[str, Column] = {}
    for column in dict.fromkeys(name for run in runs for name in run):
        cells = [run[column] for run in runs if column in run]
        values = [cell["value"] for cell in cells]
        setting = ", ".join(dict.fromkeys(str(cell["setting"]) for cell in cells))
        empty = [] if len(cells) == len(runs) else [_NOT_SWEPT]
        if None in values:
            empty.append(_NOT_SET)
        meaning = (
            f"設定 {setting}（同じ掃引の実行で異なる）",
            f"the setting {setting}, in which the runs of a sweep differ",
        )
        found[column] = _with_empty(Column(_range(values), meaning), empty)
    return found


def _of_factor(factor: str) -> tuple[str, str]:
    return f"要因 {factor} の水準", f"level of the factor {factor}"


def _of_file(factor: str, field: str) -> tuple[str, str]:
    return (
        f"要因 {factor} のファイルの列 {field}",
        f"column {field} of the file of the factor {factor}",
    )


def _counted(ids: Sequence[str]) -> tuple[str, str]:
    """Say how many levels a factor has, and which, where they are few."""
    names = ", ".join(ids)
    if len(ids) > _LEVELS_SHOWN or len(names) > _CHARACTERS_SHOWN:
        names = ""
    ja, en = f"{len(ids):,} 水準", f"{len(ids):,} level{'s' * (len(ids) != 1)}"
    return (f"{ja}：{names}", f"{en}: {names}") if names else (ja, en)


def _range(values: Sequence[Kept]) -> tuple[str, str]:
    """Say which values a column of a factor's file has."""
    there = {value for value in values if value is not None}
    if not there:
        return ("値なし", "no value")
    if all(isinstance(value, bool) for value in there):
        return _BOOL
    numbers = [v for v in there if isinstance(v, int | float) and not isinstance(v, bool)]
    if len(numbers) == len(there):
        low, high = f"{min(numbers):,.10g}", f"{max(numbers):,.10g}"
        if all(isinstance(number, int) for number in numbers):
            return f"{low} から {high} の整数", f"whole number from {low} to {high}"
        return f"{low} から {high} の数", f"number from {low} to {high}"
    return f"文字列、{len(there):,} 種類", f"text, {len(there):,} different"


def _with_empty(column: Column, more: Sequence[tuple[str, str]]) -> Column:
    """Return a column that is empty in more cases."""
    cases = [*([] if column.empty == NEVER else [column.empty]), *more]
    if not cases:
        return column
    ja, en = ("、".join(ja for ja, _ in cases), ", ".join(en for _, en in cases))
    return replace(column, empty=(ja, en))


def described(
    name: str,
    labels: Mapping[str, str],
    factors: Factors | None = None,
    items: Items | None = None,
) -> tuple[Column, str | None]:
    """Return what a column means, and the question it belongs to, if any.

    Raises:
        KeyError: the column has no explanation.
    """
    items = items or {}
    if factors and name in factors:
        return factors[name], None
    if name in COLUMNS:
        return _of_questions(name, items), None
    found = _OF_QUESTION.fullmatch(name)
    if (found is None or found["key"] not in labels) and name.startswith("scale_"):
        return _of_scores(_SCALE, name, items), None
    if found is None or found["key"] not in labels:
        raise KeyError(name)
    key, part = found["key"], found["part"]
    return _of_item(part, items[key]) if key in items else COLUMNS[part], key


def _of_item(part: str, item: Item) -> Column:
    """Return what a column of one question means."""
    column = COLUMNS[part]
    if part == "value" and item.kind is ItemKind.NUMBER:
        return replace(column, allowed=allowed_of(item))
    if part == "cause" and item.kind in CAUSES:
        return replace(column, allowed=(CAUSES[item.kind],) * 2)
    if part == "value":
        return Column(allowed_of(item), MEANINGS[item.kind], _MISSING)
    return column


def _of_questions(name: str, items: Items) -> Column:
    """Return what a column of several questions means."""
    column = COLUMNS[name]
    others = [item for item in items.values() if item.kind is not ItemKind.NUMBER]
    if name == MISSED:
        return _of_scores(column, name, items)
    if name == "value" and items:
        column = replace(column, allowed=range_of_all(items))
    if not others:
        return column
    if name == "cause":
        known = column.allowed[0].split(", ")
        there = (cause for i in items.values() for cause in CAUSES.get(i.kind, "").split(", "))
        all_of_them = ", ".join(dict.fromkeys([*known, *filter(None, there)]))
        return replace(column, allowed=(all_of_them,) * 2)
    if name == "choice":
        return replace(column, allowed=allowed_of_all(items))
    if name == "value":
        return _with_empty(column, [_ELSEWHERE_SAID])
    return column


def _of_scores(column: Column, name: str, items: Items) -> Column:
    """Return what a column of scores means, with the items that it is made from."""
    analysis = {key: item.analysis for key, item in items.items()}
    own = items_of(analysis, name)
    if not own:
        return column
    said = [_scored(key, analysis[key], is_check=name == MISSED) for key in own]
    ja, en = ("、".join(ja for ja, _ in said), ", ".join(en for _, en in said))
    meaning = (f"{column.meaning[0]}：{ja}", f"{column.meaning[1]}: {en}")
    bounds = {items[key].bounds for key in own}
    low, high, _ = (bounds.pop() if len(bounds) == 1 else None) or (None, None, True)
    if name == MISSED or low is None:
        return replace(column, meaning=meaning)
    return replace(
        column,
        allowed=(f"{low:g} から {high:g} の数", f"number from {low:g} to {high:g}"),
        meaning=meaning,
    )


def _scored(key: str, row: Mapping[str, Any], *, is_check: bool) -> tuple[str, str]:
    if is_check:
        return f"{key}（期待 {row['expect']}）", f"{key} (expected: {row['expect']})"
    return (f"{key}（逆転）", f"{key} (reversed)") if row.get("reverse") else (key, key)


_SCALE = Column(
    ("項目の範囲の数", "number within the range of its items"),
    (
        "尺度得点：項目の平均、逆転項目は折り返す",
        "score of a scale: the mean of its items, reversed ones turned round",
    ),
    ("項目の一つでも欠けたとき", "when one of its items is missing"),
)
_ELSEWHERE_SAID = (
    "数値以外の質問で（列 choice、said にある）",
    "for a question without a number, whose answer is in the column choice or said",
)


def codebook(
    tables: Mapping[str, pl.Schema],
    labels: Mapping[str, str],
    language: str,
    factors: Factors | None = None,
    items: Items | None = None,
    *,
    by_rule: bool = False,
) -> str:
    """Return codebook.md.

    Args:
        tables: the columns of each file, by its name.
        labels: what each question is called, by its id.
        language: ja or en.
        factors: what the columns of factors mean.
        items: what is answered to each question.
        by_rule: whether a stopping rule said how often conditions were asked.
    """
    place = LANGUAGES.index(language)

    def say(word: str, /, **parts: object) -> str:
        return _WORDS[word][place].format(**parts)

    notes = _NOTES[language] + (say("study") if "study.csv" in tables else "")
    notes += say("by_rule") if by_rule else ""
    lines = [f"# {say('title')}", "", notes, f"## {say('questions')}", ""]
    lines += [_asked(key, label, (items or {}).get(key)) for key, label in labels.items()]
    for file, schema in tables.items():
        lines += ["", f"## {file} ({say('columns', count=len(schema))})", "", say("head")]
        lines.append("|---|---|---|---|---|")
        for name, kind in schema.items():
            column, key = described(name, labels, factors, items)
            meaning = column.meaning[place]
            if key is not None:
                meaning = say("of", key=key, label=labels[key]) + meaning
            cells = (name, str(kind), column.allowed[place], meaning, column.empty[place])
            lines.append("| " + " | ".join(_cell(cell) for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def _asked(key: str, label: str, item: Item | None) -> str:
    """Return the line of a question: its id, what it is called, and how it is asked."""
    ask = item.ask if item else ""
    named = [key, *([label] if label != key or not ask else []), *([ask] if ask else [])]
    return "- " + ": ".join(map(_cell, named))


def _cell(text: str) -> str:
    """Return text that stays inside one cell of a table."""
    return " ".join(text.split()).replace("\\", "\\\\").replace("|", "\\|")
