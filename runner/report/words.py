"""The report's words in Japanese and English."""

from collections.abc import Iterable, Mapping
from string import Formatter
from typing import Any

from runner.config.checks import LANGUAGES
from runner.core.expand import BUNDLED_FACTORS
from runner.report.comparison_words import COMPARISONS

_WORDS: Mapping[str, tuple[str, str]] = {
    **COMPARISONS,
    # page
    "title": ("報告書：{names}", "Report: {names}"),
    "and_more": ("ほか{count}件", "and {count} more"),
    "contents": ("目次", "Contents"),
    "rehearsal_short": ("REHEARSAL（模擬実行）", "REHEARSAL"),
    "rehearsal_all": (
        "REHEARSAL（模擬実行）：すべての回答は模擬サーバーが作ったもので、どのモデルの回答でもない。"
        "費用は、実際に送った場合の概算である。",
        "REHEARSAL: every answer was made up by the emulator; no model gave any of them. "
        "Costs are what the tokens would have cost.",
    ),
    "rehearsal_some": (
        "REHEARSAL（模擬実行）を含む：[REHEARSAL] の付いたモデルの回答は模擬サーバーが作ったもので、"
        "どのモデルの回答でもない。",
        "Includes REHEARSALS: answers of models marked [REHEARSAL] were made up by the emulator; "
        "no model gave them.",
    ),
    "imported_all": (
        "すべて、取り込んだ表の値である。何回尋ねたか、なぜ欠けているか、いくらかかったかは、その表からは分からない。",
        "All values come from an imported table: how often was asked, why a value is missing and "
        "what it cost are not known here.",
    ),
    "imported_note": (
        "取り込んだ表の値：{names}。これらについては、何回尋ねたか、なぜ欠けているか、"
        "いくらかかったかは、その表からは分からない。",
        "These models come from an imported table: {names}. How often was asked, why a value is "
        "missing and what it cost are not known of them.",
    ),
    "replaced": (
        "{run}：{asked} に依頼したが、答えたのは別のモデルである（回答数）：{others}。",
        "{run}: {asked} was asked, and other models answered (number of answers): {others}.",
    ),
    "charged": (
        "{run}：提供者の請求が回答の合計と１％を超えて異なる（表の費用は実際と違うかもしれない）：{line}",
        "{run}: what the provider charges and what the answers add up to differ by more than 1 % (the "
        "table's cost may not be what is paid): {line}",
    ),
    "left_out": (
        "模擬実行 {count} 件は含めていない：{names}",
        "{count} {count:rehearsal is|rehearsals are} left out: {names}",
    ),
    "without_tables": (
        "まだ表のない実行 {count} 件は含めていない：{names}",
        "{count} {count:run has no tables yet and is|runs have no tables yet and are} left out: {names}",
    ),
    "tile.requests": ("依頼", "{count:request|requests}"),
    "tile.models": ("モデル", "{count:model|models}"),
    "tile.values": ("読み取れた値", "{count:value|values} read"),
    "tile.missing": ("欠測値", "{count:value|values} missing"),
    "tile.cost": ("費用", "cost"),
    "skip": ("本文へ", "to the report"),
    "sum.asked": (
        "モデル：{models}。質問：{questions}。変えたもの：{varied}。条件ごとの試行：{trials} 回。",
        "Models: {models}. Questions: {questions}. Varied: {varied}. Trials of each cell: {trials}.",
    ),
    "sum.hold": (
        "モデル間の差 {tested} 件（同じ条件）のうち {held} 件は Holm の補正後も残る（p < 0.05）。",
        "Of {tested} {tested:difference|differences} between models in the same cells, {held} "
        "{held:holds|hold} after Holm's correction (p < 0.05).",
    ),
    "sum.higher": (
        "最も大きい差：{question} で {higher} は {lower} より {size} 点高い{interval}。",
        " The largest: in {question}, {higher} is {size} points above {lower}{interval}.",
    ),
    "sum.oftener": (
        "最も大きい差：{question} で {higher} は {lower} より「{option}」を {size} ポイント多く選ぶ{interval}。",
        " The largest: in {question}, {higher} chooses “{option}” {size} percentage points more often "
        "than {lower}{interval}.",
    ),
    "sum.interval": ("（95 % {low}〜{high}）", " (95 % {low} to {high})"),
    "sum.none_hold": (
        "モデル間の差 {tested} 件（同じ条件）は、Holm の補正後はどれも残らない（p < 0.05）。",
        "None of {tested} differences between models in the same cells holds after Holm's correction "
        "(p < 0.05).",
    ),
    "sum.too_few": (
        "条件が少なく、補正後の p は {p} より小さくなりえない。",
        " With so few cells, no corrected p can be below {p}.",
    ),
    "sum.not_comparable": (
        "モデルどうしは比べられない：二つ以上の条件を共有するモデルがない。",
        "No two models can be compared: none share two cells or more.",
    ),
    "sum.means": ("平均：{means}。", "Means: {means}."),
    "sum.icc": (
        "試行間の一致 ICC(1) は {low}〜{high}（中央値 {middle}）。最も低いのは {run} の {question}。",
        "Trials of a cell agree with an ICC(1) from {low} to {high} (median {middle}); the lowest is "
        "{question} of {run}.",
    ),
    "sum.icc_one": (
        "{run} の {question} では、試行間の一致 ICC(1) は {middle}。",
        "In {question} of {run}, the trials of a cell agree with an ICC(1) of {middle}.",
    ),
    "sum.half": (
        "モデルの平均の 95 % 区間は尺度の ±{half} %（中央値）。",
        "A model's mean has a 95 % interval of ±{half} % of the scale (median).",
    ),
    "sum.needed": (
        "一つの条件の平均を ±5 % にするには {trials} 回の試行が要る（中央値）。",
        " For ±5 %, the mean of a single cell takes {trials} trials (median).",
    ),
    "sum.consistency": (
        "条件の最も多い答えと同じ答えは {low}〜{high} %（中央値 {middle} %）。",
        "Of a cell's answers, {low} to {high} % (median {middle} %) are its most frequent one.",
    ),
    "sum.consistency_one": (
        "条件の最も多い答えと同じ答えは {middle} %。",
        "Of a cell's answers, {middle} % are its most frequent one.",
    ),
    "unknown": ("不明", "unknown"),
    "none": ("なし", "none"),
    "table_file": ("表のファイル：{file}", "this table as a file: {file}"),
    "figure_file": ("図のファイル：{files}", "this figure as files: {files}"),
    "rows_more": (
        "先頭 {shown} 行を示す。全 {count} 行は {file} にある。",
        "The first {shown} rows; all {count} are in {file}.",
    ),
    "missing_line": (
        "欠測：{total} 値のうち {missing}（{share}）：{causes}",
        "Missing: {missing} of {total} values ({share}): {causes}",
    ),
    "missing_no": (
        "欠測なし：{total} 値すべてを読み取った。",
        "Nothing is missing: all {total} values were read.",
    ),
    "cause_count": ("{cause} {count}", "{cause} {count}"),
    "list_comma": ("、", ", "),
    # sections
    "s.quality": ("回答の品質", "Quality of the answers"),
    "s.audit": ("読み取りの確認（人手）", "Readings checked by hand"),
    "s.scores": ("得点", "Scores"),
    "s.contrasts": ("同じ条件での比較", "Paired contrasts"),
    "s.variance": ("分散の内訳", "Where the variance is"),
    "s.agreement": ("試行間の一致", "Agreement between trials"),
    "s.raters": ("モデル間の一致", "Agreement between models"),
    "s.people": ("人とモデルの一致", "Agreement of models with people"),
    "s.choice_people": ("人とモデルの選択の一致", "Agreement of the choices with people"),
    "s.correlation": ("質問間の相関", "Correlation between questions"),
    "s.temperature": ("温度とばらつき", "Temperature and spread"),
    "s.scales": ("尺度得点と注意確認", "Scale scores and attention checks"),
    "s.choices": ("選択肢の割合", "Shares of the options"),
    "s.choice_contrasts": ("割合の比較（同じ条件）", "Paired contrasts of the shares"),
    "s.choice_agreement": ("選択の一致", "Agreement of the choices"),
    "s.reasons": ("理由の長さ", "Length of the reasons"),
    "s.usage": ("トークンと費用", "Tokens and cost"),
    "s.methods": ("方法", "Methods"),
    # tables and figures
    "t.quality": ("依頼の結末（モデル別）", "How the requests ended, by model"),
    "t.missing": ("欠測値（モデル・質問・原因別）", "Missing values, by model, question and cause"),
    "t.patterns": ("値を見つけたパターン", "Patterns that found the value"),
    "t.audit": ("読み取りの誤り率", "Error rate of the extraction"),
    "t.audit_patterns": ("誤り率（パターン別）", "Error rate by pattern"),
    "t.audit_errors": ("誤りとされた読み取り", "Readings that were found wrong"),
    "t.scores_model": ("得点（モデル別）", "Scores by model"),
    "t.scores_persona": ("得点（ペルソナ別）", "Scores by persona"),
    "t.scores_text": ("得点（テキスト別）", "Scores by text"),
    "t.scores_factor": ("得点（{factor} 別）", "Scores by {factor}"),
    "t.scores_temperature": ("得点（温度別）", "Scores by temperature"),
    "t.scores_cell": ("得点（条件別）", "Scores by cell"),
    "t.distribution": ("値の分布", "Distribution of the values"),
    "t.contrasts_model": (
        "モデル間の差（同じ条件）",
        "Differences between models, in the same cells",
    ),
    "t.contrasts_persona": (
        "ペルソナ間の差（同じ条件）",
        "Differences between personas, in the same cells",
    ),
    "t.contrasts_text": (
        "テキスト間の差（同じ条件）",
        "Differences between texts, in the same cells",
    ),
    "t.contrasts_temperature": (
        "温度間の差（同じ条件）",
        "Differences between temperatures, in the same cells",
    ),
    "t.contrasts_factor": (
        "{factor} の水準間の差（同じ条件）",
        "Differences between levels of {factor}, in the same cells",
    ),
    "t.persona_model": ("ペルソナ × モデル：平均値", "Persona × model: means"),
    "t.text_model": ("テキスト × モデル：平均値", "Text × model: means"),
    "t.factor_model": ("{factor} × モデル：平均値", "{factor} × model: means"),
    "t.scales": ("尺度得点（モデル別）", "Scale scores by model"),
    "t.checks": ("注意確認（回答の行の数）", "Attention checks, in rows of the table"),
    "t.shares_model": ("選択肢の割合（モデル別）", "Shares of the options by model"),
    "t.shares_factor": ("選択肢の割合（{factor} 別）", "Shares of the options by {factor}"),
    "t.shares_persona": ("選択肢の割合（ペルソナ別）", "Shares of the options by persona"),
    "t.shares_text": ("選択肢の割合（テキスト別）", "Shares of the options by text"),
    "t.shares_temperature": ("選択肢の割合（温度別）", "Shares of the options by temperature"),
    "t.shares_cell": ("選択肢の割合（条件別）", "Shares of the options by cell"),
    "t.choice_contrasts_model": (
        "モデル間の割合の差（同じ条件）",
        "Differences of shares between models, in the same cells",
    ),
    "t.choice_contrasts_persona": (
        "ペルソナ間の割合の差（同じ条件）",
        "Differences of shares between personas, in the same cells",
    ),
    "t.choice_contrasts_text": (
        "テキスト間の割合の差（同じ条件）",
        "Differences of shares between texts, in the same cells",
    ),
    "t.choice_contrasts_temperature": (
        "温度間の割合の差（同じ条件）",
        "Differences of shares between temperatures, in the same cells",
    ),
    "t.choice_contrasts_factor": (
        "{factor} の水準間の割合の差（同じ条件）",
        "Differences of shares between levels of {factor}, in the same cells",
    ),
    "t.consistency": ("条件内の一貫性（試行間の一致）", "Consistency within cells"),
    "t.kappa": ("モデル間の一致（コーエンの κ）", "Agreement between models (Cohen's κ)"),
    "t.raters": (
        "モデル間の一致（級内相関、クリッペンドルフの α）",
        "Agreement between models (ICC, Krippendorff's α)",
    ),
    "t.rank_correlations": ("モデル間の順位相関", "Rank correlations between models"),
    "t.choice_raters": (
        "全モデルの一致（クリッペンドルフの α、フライスの κ）",
        "Agreement of all models (Krippendorff's α, Fleiss' κ)",
    ),
    "t.people": ("モデルと人の一致", "Models beside people"),
    "t.choice_people": ("モデルと人の選択の一致", "Choices of models beside those of people"),
    "t.people_among": ("人どうしの一致", "Agreement of the people among themselves"),
    "t.choice_people_among": (
        "人どうしの選択の一致",
        "Agreement of the people's choices among themselves",
    ),
    "t.choice_people_confusion": (
        "混同行列（モデルと人）",
        "Confusion matrices of models and people",
    ),
    "t.confusion": ("混同行列（モデルの対ごと）", "Confusion matrices, by pair of models"),
    "t.variance": (
        "分散成分とその割合（質問別）",
        "Components of variance and their shares, by question",
    ),
    "t.agreement": ("試行間の一致", "Agreement between trials"),
    "t.precision": ("試行は何回で足りるか", "How many trials are enough"),
    "t.within_sd": ("条件内の標準偏差（試行間のばらつき）", "Standard deviation within cells"),
    "t.icc": ("級内相関係数 ICC(1)", "Intraclass correlation, ICC(1)"),
    "t.correlation": ("質問間の相関（ピアソン）", "Correlation between questions (Pearson)"),
    "t.temperature": ("温度と条件内の標準偏差", "Temperature and standard deviation within cells"),
    "t.shape": ("歪度と尖度", "Skewness and kurtosis"),
    "t.reasons_persona": (
        "理由の長さ（文字数、ペルソナ別）",
        "Length of the reasons, in characters, by persona",
    ),
    "t.reasons_text": (
        "理由の長さ（文字数、テキスト別）",
        "Length of the reasons, in characters, by text",
    ),
    "t.reasons_temperature": (
        "理由の長さ（文字数、温度別）",
        "Length of the reasons, in characters, by temperature",
    ),
    "t.reasons_factor": (
        "理由の長さ（文字数、{factor} 別）",
        "Length of the reasons, in characters, by {factor}",
    ),
    "t.reasons": ("理由の長さ（文字数）", "Length of the reasons, in characters"),
    "t.usage": ("トークンと費用", "Tokens and cost"),
    "t.returned": ("応答に記されたモデル名と日時", "Models as the providers name them, and dates"),
    "t.sources": ("出典とハッシュ値（SHA-256）", "Sources and hashes (SHA-256)"),
    "t.versions": ("使用したソフトウェア", "Software"),
    # columns
    "c.people": ("評定者", "raters"),
    "c.run": ("モデル", "model"),
    "c.block": ("実験", "experiment"),
    "c.question": ("質問", "question"),
    "c.other": ("もう一つの質問", "other question"),
    "c.persona": ("ペルソナ", "persona"),
    "c.text": ("テキスト", "text"),
    "c.temperature": ("温度", "temperature"),
    "c.error": ("誤りの種類", "kind of error"),
    "c.found": ("読み取った値", "what was read"),
    "c.readings": ("読み取りの数", "readings"),
    "c.checked": ("確認した数", "checked"),
    "c.errors": ("誤り", "errors"),
    "c.rate": ("誤り率（%）", "error rate, %"),
    "c.custom_id": ("依頼の識別子", "custom_id"),
    "c.verdict": ("判定", "verdict"),
    "c.right": ("正しい値", "right value"),
    "c.cells_people": ("人の値のある条件", "cells of people"),
    "c.cells_model": ("モデルの値のある条件", "cells of the model"),
    "c.given_model": ("モデルの答え", "answer of the model"),
    "c.given_people": ("人の答え", "answer of people"),
    "c.total": ("総数", "total"),
    "c.n": ("n", "n"),
    "c.missing": ("欠測", "missing"),
    "c.mean": ("平均", "mean"),
    "c.sd": ("標準偏差", "sd"),
    "c.skewness": ("歪度", "skewness"),
    "c.kurtosis": ("尖度", "kurtosis"),
    "c.median": ("中央値", "median"),
    "c.min": ("最小", "min"),
    "c.max": ("最大", "max"),
    "c.low": ("95 % 下限", "95 % low"),
    "c.high": ("95 % 上限", "95 % high"),
    "c.cells": ("条件数", "cells"),
    "c.interval_units": ("区間の単位", "units of the interval"),
    "c.level": ("水準", "level"),
    "c.other_level": ("比べる相手", "compared with"),
    "c.differences": ("比べた条件数", "cells compared"),
    "c.difference": ("差", "difference"),
    "c.d": ("d（対応あり）", "d (pairs)"),
    "c.delta": ("クリフの δ", "Cliff's δ"),
    "c.p": ("p", "p"),
    "c.p_holm": ("p（ホルム）", "p (Holm)"),
    "c.comparable": ("比較できるか", "comparable"),
    "c.success": ("成功", "success"),
    "c.retry_success": ("再依頼で成功", "retry success"),
    "c.failed": ("失敗", "failed"),
    "c.open": ("未完了", "open"),
    "c.imported": ("取り込み", "imported"),
    "c.attempts": ("試み", "attempts"),
    "c.lost": ("失われた試み", "lost attempts"),
    "c.n_of_failed_requests": ("うち失敗した依頼の値", "n from failed requests"),
    "c.n_without_reason": ("うち理由のない値", "n without a reason"),
    "c.pattern": ("パターン", "pattern"),
    "c.answers": ("回答", "answers"),
    "c.within_sd": ("条件内の標準偏差", "sd within cells"),
    "c.trials": ("条件あたりの試行", "trials a cell"),
    "c.between_sd": ("条件間の標準偏差", "sd between cells"),
    "c.half_1": ("半幅：1 回", "± at 1 trial"),
    "c.half_2": ("半幅：2 回", "± at 2 trials"),
    "c.half_5": ("半幅：5 回", "± at 5 trials"),
    "c.half_10": ("半幅：10 回", "± at 10 trials"),
    "c.half_20": ("半幅：20 回", "± at 20 trials"),
    "c.half_50": ("半幅：50 回", "± at 50 trials"),
    "c.half_all": ("半幅：無限回", "± at any number"),
    "c.needed_5": ("条件の平均が尺度の ±5 % になる試行", "trials for a cell's ±5 % of the scale"),
    "c.needed_2_5": ("同 ±2.5 %", "trials for ±2.5 %"),
    "c.component": ("成分", "component"),
    "c.levels": ("水準の数", "levels"),
    "c.reml": ("分散（REML）", "variance (REML)"),
    "c.anova": ("分散（ANOVA）", "variance (ANOVA)"),
    "c.method": ("割合のもと", "share from"),
    "c.boundary": ("境界", "boundary"),
    "c.cells_with_several": ("値が二つ以上ある条件", "cells with 2 or more values"),
    "c.icc": ("ICC(1)", "ICC(1)"),
    "c.icc_low": ("ICC 95 % 下限", "ICC 95 % low"),
    "c.icc_high": ("ICC 95 % 上限", "ICC 95 % high"),
    "c.scale": ("尺度", "scale"),
    "c.met": ("すべて期待どおり", "all as expected"),
    "c.missed": ("違うものがある", "one or more missed"),
    "c.unread": ("確かめられない", "not known"),
    "c.option": ("選択肢", "option"),
    "c.shown": ("ラベル", "label"),
    "c.count": ("回答数", "count"),
    "c.percent": ("割合（%）", "share (%)"),
    "c.consistency": ("最頻の回答の割合（%）", "share of the most frequent answer (%)"),
    "c.other_run": ("もう一つのモデル", "other model"),
    "c.ties": ("最頻が定まらない条件", "cells with a tie"),
    "c.agreement": ("一致率（%）", "agreement (%)"),
    "c.kappa": ("コーエンの κ", "Cohen's κ"),
    "c.pearson": ("ピアソンの r", "Pearson r"),
    "c.statistic": ("統計量", "statistic"),
    "c.raters": ("モデル数", "models"),
    "c.value": ("値", "value"),
    "c.defined": ("計算できるか", "defined"),
    "c.other_option": ("もう一つのモデルの選択肢", "the other model's option"),
    "c.kappa_linear": ("重み付き κ（線形）", "weighted κ (linear)"),
    "c.kappa_quadratic": ("重み付き κ（二乗）", "weighted κ (quadratic)"),
    "c.spearman": ("スピアマンの ρ", "Spearman ρ"),
    "c.q1": ("第1四分位", "1st quartile"),
    "c.q3": ("第3四分位", "3rd quartile"),
    "c.input_tokens": ("入力トークン", "input tokens"),
    "c.output_tokens": ("出力トークン", "output tokens"),
    "c.cached_tokens": ("うちキャッシュから", "of it from a cache"),
    "c.answers_without_tokens": ("トークン数不明の回答", "answers of unknown tokens"),
    "c.cost_usd": ("費用（米ドル）", "cost (US$)"),
    "c.answers_without_cost": ("費用不明の試み", "attempts of unknown cost"),
    "c.model_returned": ("応答のモデル名", "model as returned"),
    "c.first": ("最初（UTC）", "first (UTC)"),
    "c.last": ("最後（UTC）", "last (UTC)"),
    "c.source": ("出典", "source"),
    "c.what": ("項目", "what"),
    "c.package": ("名称", "name"),
    "c.version": ("版", "version"),
    "c.cause": ("原因", "cause"),
    "v.any_error": ("すべての誤り", "any error"),
    "v.wrongly_read": (
        "値の読み誤り（値のある読み取りのうち）",
        "wrongly read, of those with a value",
    ),
    "v.wrongly_missing": (
        "値の見落とし（値のない読み取りのうち）",
        "wrongly missing, of those without a value",
    ),
    "v.a_value": ("値あり", "a value"),
    "v.nothing": ("値なし", "no value"),
    "v.pearson": ("ピアソンの r", "Pearson's r"),
    "v.spearman": ("スピアマンの ρ", "Spearman's ρ"),
    "v.mae": ("平均絶対誤差（MAE）", "mean absolute error (MAE)"),
    "v.bias": ("偏り（モデル − 人）", "bias (model − people)"),
    "v.same": ("一致（%）", "same answer, %"),
    "v.kappa": ("コーエンの κ", "Cohen's κ"),
    "v.kappa_linear": ("重み付き κ（１次）", "weighted κ (linear)"),
    "v.kappa_quadratic": ("重み付き κ（２次）", "weighted κ (quadratic)"),
    "v.few_cells": (
        "できない：モデルと人の両方に値のある条件が足りない",
        "no: too few cells that the model and people both have a value in",
    ),
    "v.constant_model": (
        "できない：モデルの値がどの条件でも同じ",
        "no: the model rates all cells alike",
    ),
    "v.constant_people": ("できない：人の値がどの条件でも同じ", "no: people rate all cells alike"),
    "v.one_rater_people": ("できない：評定者が一人", "no: only one rater"),
    "v.few_shared": (
        "できない：必要な評定者の値がそろう条件が二つない",
        "no: fewer than two cells with the ratings it needs",
    ),
    "v.no_residual_people": (
        "できない：評定者の差がどの条件でも同じ",
        "no: the raters differ alike in every cell",
    ),
    "v.residual": ("残差（試行など）", "residual (trials)"),
    "v.reml": ("REML", "REML"),
    "v.anova": ("ANOVA", "ANOVA"),
    "v.at_0": ("0 と推定（境界の上）", "estimated as 0: on the boundary"),
    "v.reml_at_0": ("REML では 0（境界の上）", "0 by REML: on the boundary"),
    "v.cells": ("条件", "cells"),
    "v.trials": ("試行", "trials"),
    "v.live": ("実際の回答", "live"),
    "v.rehearsal": ("REHEARSAL", "REHEARSAL"),
    "v.imported": ("取り込み", "imported"),
    "v.none": ("どれも当たらず", "none matched"),
    "v.yes": ("できる", "yes"),
    "v.no_value": ("できない：一方に値がない", "not comparable: one has no value"),
    "v.no_cell": ("できない：共通の条件がない", "not comparable: no cell in common"),
    "v.one_cell": ("できない：共通の条件が一つだけ", "not comparable: only one cell in common"),
    "v.temperatures": ("できない：温度が異なる", "not comparable: asked at other temperatures"),
    "v.icc_2_1": ("ICC(2,1)", "ICC(2,1)"),
    "v.icc_2_k": ("ICC(2,k)", "ICC(2,k)"),
    "v.icc_3_1": ("ICC(3,1)", "ICC(3,1)"),
    "v.alpha_interval": ("α（間隔）", "α (interval)"),
    "v.alpha_ordinal": ("α（順序）", "α (ordinal)"),
    "v.alpha_nominal": ("α（名義）", "α (nominal)"),
    "v.fleiss": ("フライスの κ", "Fleiss' κ"),
    "v.one_rater": ("できない：モデルが一つ", "no: only one model"),
    "v.no_shared_cell": (
        "できない：二つ以上のモデルに値のある条件が二つない",
        "no: fewer than two cells that two models have a value in",
    ),
    "v.no_complete_cell": (
        "できない：全モデルに値のある条件が二つない",
        "no: fewer than two cells that every model has a value in",
    ),
    "v.alike": ("できない：条件に違いがない", "no: all cells are alike"),
    "v.no_residual": (
        "できない：モデルの差がどの条件でも同じ",
        "no: models differ alike in every cell",
    ),
    "v.too_far_below_0": (
        "できない：ICC(2,1) が −1/(k − 1) 以下",
        "no: ICC(2,1) is −1/(k − 1) or less",
    ),
    # causes
    "cause.missing": ("どのパターンも値を見つけなかった", "no pattern found a value"),
    "cause.out_of_range": ("範囲外の数", "number out of range"),
    "cause.ambiguous": ("異なる数が二つ以上", "several different numbers"),
    "cause.ambiguous_choice": ("異なる選択肢が二つ以上", "several different options"),
    "cause.ambiguous_both": ("異なる数・選択肢が二つ以上", "several different numbers or options"),
    "cause.not_a_number": ("一つの数として読めない", "not one number"),
    "cause.not_an_option": ("どの選択肢か定まらない", "not plainly one option"),
    "cause.wrong_count": ("選択肢の数が違う", "more or fewer options than were asked for"),
    "cause.not_valid": ("スキーマに合わない JSON", "JSON that its schema does not allow"),
    "cause.other_scale": ("別の尺度の数", "number on another scale"),
    "cause.no_reason": ("理由がない", "no reason"),
    "cause.refused": ("モデルが断った", "the model refused"),
    "cause.truncated": ("途中で切れた", "cut off"),
    "cause.blocked": ("提供者が遮断した", "blocked by the provider"),
    "cause.open": ("依頼が未完了", "request not ended yet"),
    "cause.not_in_source": ("取り込んだ表で空欄", "empty in the imported table"),
    "cause.request_refused": ("提供者が依頼を受け付けなかった", "request refused by the provider"),
    "cause.request_errored": ("提供者側の誤り", "error at the provider"),
    "cause.request_expired": ("期限切れ", "request expired"),
    "cause.request_cancelled": ("取り消し", "request cancelled"),
    "cause.request_unreadable": ("読めない形の回答", "answered in a form that is not known"),
    "cause.request_denied": ("アカウントの都合で拒否された", "refused because of the account"),
    "cause.request_missing": ("結果ファイルにない", "in no result file"),
    "cause.request_unknown": ("回答がない", "no answer"),
    # axes
    "x.score": ("得点", "score"),
    "x.difference": ("差", "difference"),
    "x.share_difference": ("割合の差（ポイント）", "difference of the shares (percentage points)"),
    "x.share": ("割合（%）", "share (%)"),
    "x.share_variance": ("分散に占める割合（%）", "share of the variance (%)"),
    "x.share_missing": ("欠測値の割合（%）", "share of values missing (%)"),
    "x.share_values": ("値の割合（%）", "share of the values (%)"),
    "x.sd": ("条件内の標準偏差", "sd within cells"),
    "x.icc": ("ICC(1)", "ICC(1)"),
    "x.half_width": ("95 % 区間の半幅", "half-width of the 95 % interval"),
    "x.trials": ("条件あたりの試行（対数目盛）", "trials a cell (logarithmic)"),
    "x.temperature": ("温度", "temperature"),
    "x.confounded": (
        "温度（ペルソナとテキストで決まり、区別できない）",
        "temperature (set by persona and text, not to be told from them)",
    ),
    "x.confounded_factors": (
        "温度（{factors} の水準で決まり、区別できない）",
        "temperature (set by the levels of {factors}, not to be told from them)",
    ),
    "x.characters": ("文字数", "characters"),
    "x.tokens": ("一回答あたりのトークン（平均）", "mean tokens per answer"),
    "x.input": ("入力", "input"),
    "x.output": ("出力", "output"),
    "x.cost": ("費用（米ドル）", "cost (US$)"),
    "x.n_mean": ("平均　（小さい字：n）", "mean   (small: n)"),
    "x.r_n": ("r　（小さい字：n）", "r   (small: n)"),
    "x.pooled": ("併合した標準偏差", "pooled sd"),
    "x.cell": ("条件", "cell"),
    "x.not_sent": ("送信なし", "not sent"),
    "x.part": ("{part}／{parts}", "part {part} of {parts}"),
    # captions
    "k.quality": (
        "依頼の結末の割合。棒の中の数は依頼数、右端は総数。",
        "Shares of how the requests ended; counts in the bars, totals at the right.",
    ),
    "k.missing": (
        "質問ごとの欠測値の割合と原因。",
        "Share of values missing for each question, by cause.",
    ),
    "k.scores": (
        "点：平均。線：95 % 区間。右端：値の数 n。欠測値は含まない（0 とは数えない）。",
        "Dot: mean. Line: 95 % interval. At the right: the number n of values. A missing value is left "
        "out, never counted as 0.",
    ),
    "k.contrasts": (
        "点：差（左 − 右）の平均。線：その 95 % 区間。右端：比べた条件の数 n。区間が 0 を含まない差も、"
        "比較の数を考えれば偶然でありうる（表のホルムの p）。",
        "Dot: mean difference, the first less the second. Line: its 95 % interval. At the right: the "
        "number n of cells compared. Of many comparisons some intervals leave out 0 by chance alone; "
        "the p after Holm in the tables allows for it.",
    ),
    "k.choice_contrasts": (
        "点：選択肢を選んだ割合の差（左 − 右）の平均（ポイント）。線：その 95 % 区間。右端：比べた条件の数 n。"
        "区間が 0 を含まない差も、比較の数を考えれば偶然でありうる（表のホルムの p）。",
        "Dot: mean difference of the shares that chose the option, the first less the second, in "
        "percentage points. Line: its 95 % interval. At the right: the number n of cells compared. Of "
        "many comparisons some intervals leave out 0 by chance alone; the p after Holm in the tables "
        "allows for it.",
    ),
    "k.shares": (
        "点：有効な回答に占める選択肢の割合。線：ウィルソンの 95 % 区間。右端：有効な回答の数 n／総数。"
        "欠測値は分母に含まない。",
        "Dot: share of the valid answers that chose the option. Line: Wilson's 95 % interval. At the "
        "right: the number n of valid answers of the total. A missing value is not in the denominator.",
    ),
    "k.distribution": (
        "値の割合のヒストグラム。縦軸は全図で共通。縦線：平均。",
        "Histograms of the values; the vertical axis is the same everywhere. Vertical line: mean.",
    ),
    "k.heat": (
        "マスの数：平均、小さい字：値の数 n。色の尺度は質問の範囲全体で、値のないマスは斜線。",
        "In each field the mean, and small the number n of values. The colours span the whole range "
        "of the question; a hatched field has no value.",
    ),
    "k.variance": (
        "棒：値の分散に占める各成分の割合。区間は表にある。右端：値の数 n。欠測値は含まない（0 とは数えない）。",
        "Bar: the share of each component in the variance of the values; the intervals stand in the "
        "table. At the right: the number n of values. A missing value is left out, never counted as 0.",
    ),
    "k.within_sd": (
        "点：条件内の標準偏差（併合）。小さいほど試行が一致する。右端：値の数 n。",
        "Dot: pooled standard deviation within cells; the smaller, the more trials agree. At the "
        "right: the number n of values.",
    ),
    "k.icc": (
        "点：ICC(1)。線：95 % 区間。条件が 100 に満たず、値の多くが尺度の一端に近いときは当てにならない。",
        "Dot: ICC(1). Line: 95 % interval; not to be trusted below 100 cells where most values are "
        "near one end of the scale.",
    ),
    "k.precision": (
        "線：条件あたりの試行を増やしたときのモデルの平均の 95 % 区間の半幅。点：今の試行の数。",
        "Line: half-width of the 95 % interval of a model's mean with so many trials a cell. Dot: the "
        "trials there are.",
    ),
    "k.correlation": (
        "ピアソンの r と、両方の値がある依頼の数 n。",
        "Pearson's r, and the number n of requests that have both values.",
    ),
    "k.temperature": (
        "灰色の点：一つの条件の標準偏差。色の点：その温度の条件を併合した標準偏差。",
        "Grey dots: standard deviation of one cell. Coloured dots: pooled over the cells of that "
        "temperature.",
    ),
    "k.reasons": (
        "箱：第1四分位・中央値・第3四分位、ひげ：最小・最大、ひし形：平均。右端：理由の数 n。",
        "Box: quartiles and median; whiskers: minimum and maximum; diamond: mean. At the right: the "
        "number n of reasons.",
    ),
    "k.usage": (
        "一回答あたりの平均トークン数と、全体の費用。分からないものは「不明」とし、0 としない。",
        "Mean tokens per answer, and the cost of all attempts. What is not known says so and is not "
        "drawn as 0.",
    ),
    # notes
    "n.quality": (
        "総数 = 成功 + 再依頼で成功 + 失敗 + 未完了。成功：最初に尋ねたときに全質問を読み取れた。"
        "再依頼で成功：尋ね直して読み取れた。失敗：決められた回数までに読み取れなかった。"
        "取り込んだ表では結末が分からない。",
        "total = success + retry success + failed + open. Success: every question was read when "
        "first asked; retry success: after being asked again; failed: not within the allowed number "
        "of attempts. Of an imported table the endings are not known.",
    ),
    "n.audit_none": (
        "{run}：audit.csv はあるが、数えられる判定がまだない。誤り率は分からない。",
        "{run}: audit.csv is there, and no verdict in it can be counted yet: the error rate is not "
        "known.",
    ),
    "n.audit_unreadable": (
        "{run}：audit.csv に読めないところがあり、そこは数えていない：{why}",
        "{run}: some of audit.csv cannot be read and is not counted: {why}",
    ),
    "n.audit_not_checked": (
        "{run}：一つも確認されていないパターンがあり、その読み取り（{share}）は上の誤り率に含まれない：{names}",
        "{run}: of some patterns no reading was checked; their readings ({share}) are not in the "
        "error rate: {names}",
    ),
    "n.audit_unfilled": (
        "{run}：判定のない {count} 行は数えていない（{rows}）。難しい行を飛ばしたのなら、誤り率は低く出る。",
        "{run}: {count} {count:row|rows} without a verdict {count:is|are} not counted ({rows}). Where hard "
        "ones were skipped, the error rate is too low.",
    ),
    "n.audit_unknown_verdict": (
        "{run}：判定が ok、wrong、missing のどれでもない {count} 行は数えていない（{rows}）。直して報告書を作り直すこと。",
        "{run}: {count} {count:row|rows} whose verdict is none of ok, wrong and missing {count:is|are} "
        "not counted ({rows}): correct them and make the report again.",
    ),
    "n.audit_does_not_fit": (
        "{run}：値がないのに wrong、または値があるのに missing とされた {count} 行は数えていない（{rows}）。"
        "直して報告書を作り直すこと。",
        "{run}: {count} {count:row|rows} that {count:says|say} wrong where no value was read, or missing "
        "where one was, {count:is|are} not counted ({rows}): correct them and make the report again.",
    ),
    "n.audit_changed": (
        "{run}：回答か値が引いたときと違う {count} 行は数えていない（{rows}）。",
        "{run}: {count} {count:row|rows} whose answer or value is not the one that was drawn {count:is|are} "
        "not counted ({rows}).",
    ),
    "n.audit_unknown": (
        "{run}：引いた覚えのない {count} 行は数えていない（{rows}）。",
        "{run}: {count} {count:row that was not drawn is|rows that were not drawn are} not counted ({rows}).",
    ),
    "n.audit_repeated": (
        "{run}：重複する {count} 行はどれも数えていない（{rows}）。",
        "{run}: {count} {count:row that stands|rows that stand} there more than once {count:is|are} not "
        "counted ({rows}).",
    ),
    "n.audit_read_anew": (
        "{run}：今の表では読み取りが違う {count} 行は数えていない（{rows}）。誤り率は今の表のものではない。"
        "新しい標本を引くこと（action=sample）。",
        "{run}: {count} {count:row|rows} that the table reads otherwise today {count:is|are} not counted "
        "({rows}): the error rate is not that of today's table; draw a new sheet (action=sample).",
    ),
    "n.audit_gone": (
        "{run}：引いた {count} 行が表からなくなっている（引いたときの{rows}）。",
        "{run}: {count} {count:row that was drawn is|rows that were drawn are} not in the sheet any more "
        "({rows} as drawn).",
    ),
    "n.audit_rows": ("行 {rows}", "row {rows}"),
    "n.no_people": (
        "人の評定はあるが、ここに示す質問のものはない。",
        "There are ratings by people, but none of these questions.",
    ),
    "n.people_cells": (
        "人の評定が分けている条件：{cell}。そのほかの要因と温度については、モデルの値をまとめている。",
        "What the people's ratings tell apart: {cell}. Over other factors and temperatures a model's "
        "values are taken together.",
    ),
    "n.people_missing": (
        "人の評定のうち、値のないもの {missing}、ここのモデルにない質問・選択肢・水準のもの {unplaced}。どちらも数えていない。",
        "Of the people's ratings {missing} have no value, and {unplaced} are of items, options or levels "
        "that these runs do not have; neither count.",
    ),
    "n.constant_people": (
        "どの条件でも同じ評定をした人：{names}。この人たちについては一致を見ることができない。",
        "People who rate every cell alike: {names}. No agreement can be seen in them.",
    ),
    "n.missing": (
        "n + 欠測 = 総数。失敗した依頼でも、ほかの質問の値が読めていればその値は n に含む。"
        "未完了の依頼の値は数えない。",
        "n + missing = total. A failed request may still hold values of other questions; they count "
        "in n. Values of requests that have not ended do not count.",
    ),
    "n.patterns": (
        "各依頼の採用された回答について、どの名前のパターンが値の場所を見つけたか。n はそのうち値が読めた数。",
        "Of the answer that counts of each request: which named pattern found the value's place, "
        "and in how many of them (n) the value was read.",
    ),
    "n.scores_pooled": (
        "同じ実験の中でモデルをまたいで併合し、実験どうし、および実際の回答・模擬・取り込みは混ぜない。",
        "Pooled over the models of one experiment; experiments are not mixed, nor are live, "
        "rehearsed and imported answers.",
    ),
    "n.interval": (
        "95 % 区間は条件を互いに独立とみなし、同じような条件一般についていう。複数の条件に共通する要因の水準やモデルを、"
        "尋ねていないものにまで広げて読むには狭すぎる。条件が 12 以下で値の多くが尺度の一端に近いときは、10 回に 1 回ほど真の平均を外す。",
        "The 95 % interval takes cells for independent, and speaks of other cells like these: it is too "
        "narrow where levels or models that several cells share stand for others that were not asked. "
        "Of 12 cells or fewer with most values near one end of the scale, it misses the true mean in "
        "about one of ten studies.",
    ),
    "n.opens": (
        "n を開くと、その条件の値が並ぶ。",
        "Open an n to see the values of its cell.",
    ),
    "n.compare": (
        "平均の区間どうしの重なりで比べないこと。同じ条件で尋ねたものの差は、次の「同じ条件での比較」にある。",
        "Do not compare by whether these intervals overlap: the differences in the same cells, under "
        "“Paired contrasts”, are known far better.",
    ),
    "n.contrasts": (
        "差 = 左の水準 − 比べる相手。両方に値のある条件だけを使い、条件ごとの平均の差を同じ重みで平均する。",
        "The difference is the first level less the one that it is compared with, the mean over the "
        "cells in which both have a value; each cell has the same weight.",
    ),
    "n.contrasts_levels": (
        "複数のモデルは同じ問いに似た答えをするので、別々の条件には数えず、モデルの平均を一つの差とする"
        "（ほかに要因がなければモデルごとに一つ）。",
        "Models that answer the same prompts resemble each other and are not counted as cells of their "
        "own: one difference is the mean over the models (where there is no other factor, of one model).",
    ),
    "n.contrasts_floor": (
        "条件が {cells} なら p は {p} より小さくなりえず、{tests} 個の比較についてのホルムの p は {holm} より小さくなりえない。",
        "With {cells} cells no p can be below {p}, and after Holm over {tests} comparisons none below "
        "{holm}.",
    ),
    "n.contrasts_first": (
        "比較が多いので、図と表の初めの {shown} 行は {level} との差とし、残り {rows} 行はその後に続く。",
        "There are many pairs: the figure, and the first {shown} rows of the table, compare with "
        "{level}; the other {rows} {rows:row follows|rows follow}.",
    ),
    "n.variance": (
        "各要因の水準は、ほかにもありうる水準の中から取られたものとみなす。水準が二つから五つの要因では、割合はほとんど分からず、"
        "区間は非常に広くなるほかない。正規分布から外れると区間は狭すぎる：値の多くが尺度の一端に近いと、真の割合を含むのは 100 回中 89〜97 回、"
        "少数の水準だけがほかから大きく離れていると 80〜92 回にとどまり、当てにならない。",
        "The levels of each factor count as drawn from others like them. Of a factor of two to five "
        "levels the share is hardly known, and its interval is very wide, as it has to be. Away from the normal "
        "distribution the intervals are too narrow: where most values are near one end of the scale they "
        "hold the true share in 89 to 97 of 100 studies; where a few levels lie far from all others, in "
        "80 to 92, and are not to be trusted.",
    ),
    "n.variance_singular": (
        "{questions}：混合モデルの当てはめは特異である（REML では 0 と推定された分散があり、ありうる範囲の境界の上にある）。"
        "割合は ANOVA（平均平方の期待値）の成分による。",
        "{questions}: the mixed model's fit is singular (by REML some variance is exactly 0, on the "
        "boundary of what is possible); the shares are those of the ANOVA components (expected mean "
        "squares).",
    ),
    "n.variance_no_fit": (
        "{questions}：混合モデルの当てはめが収束しなかった。割合は ANOVA（平均平方の期待値）の成分による。",
        "{questions}: the fit of the mixed model did not converge; the shares are those of the ANOVA "
        "components (expected mean squares).",
    ),
    "n.variance_many_terms": (
        "{questions}：水準とその組み合わせが {limit} を超えるので、混合モデルは当てはめない。"
        "割合は ANOVA（平均平方の期待値）の成分による。",
        "{questions}: there are more than {limit} levels and combinations of two, and no mixed model is "
        "fitted; the shares are those of the ANOVA components (expected mean squares).",
    ),
    "n.variance_no_residual": (
        "{questions}：同じ条件の試行がすべて等しく、残差がないので、混合モデルは当てはめず、区間もない。"
        "割合は ANOVA（平均平方の期待値）の成分による。",
        "{questions}: no trial differs from another of its cell, so that there is no residual, no fit of "
        "the mixed model and no interval; the shares are those of the ANOVA components (expected mean "
        "squares).",
    ),
    "n.variance_incomplete": (
        "{questions}：水準の組み合わせの一割を超えるものに（または、ある二つの水準の組み合わせすべてに）値がないので、区間は示さない。",
        "{questions}: more than a tenth of the combinations of levels (or all of some two levels) have no "
        "value, and no interval is shown: none is known to hold then.",
    ),
    "n.variance_not_held": (
        "{questions}：推定値が区間に入らない成分があり、その区間は示さない（条件によって値の数が大きく違うときに起こる）。",
        "{questions}: some estimates lie outside of their intervals, which are not shown (as may be where "
        "cells differ much in their number of values).",
    ),
    "n.variance_more": (
        "{questions}：三つ以上の要因の交互作用があり（F 検定、p < 0.01）、残差と二要因の交互作用に混じっている。"
        "二要因の交互作用の割合は大きすぎることがあり、残差の区間は当てにならない（100 回中 88 回）。",
        "{questions}: there are interactions of three factors or more (F test, p < 0.01), which are mixed "
        "into the residual and the interactions of two; the shares of the latter can be too large, and the "
        "residual's interval is not to be trusted (88 of 100).",
    ),
    "n.variance_no_pairs": (
        "{questions}：二要因の交互作用は、水準の組み合わせが足りないので分けられず、残差に含まれる。",
        "{questions}: too few combinations of levels to tell the interactions apart; they are part of the "
        "residual.",
    ),
    "n.variance_temperature": (
        "{questions}：温度はモデルやほかの要因の水準とともに変わるので、その効果はそれらの成分に含まれる。",
        "{questions}: the temperature goes with the model or the levels of other factors; what it does is "
        "part of their components.",
    ),
    "n.variance_left_out": (
        "{questions}：要因 {factor} は、ほかの要因（または試行）と区別できないので、成分にしない。",
        "{questions}: the factor {factor} cannot be told from another one, or from the trials, and has no "
        "component of its own.",
    ),
    "n.variance_no_value": (
        "{questions}：読み取れた値がない。",
        "{questions}: no value was read, and there is no variance to divide.",
    ),
    "n.variance_constant": (
        "{questions}：すべての値が等しく、分けるべき分散がない。",
        "{questions}: all values are equal, and there is no variance to divide.",
    ),
    "n.variance_no_factor": (
        "{questions}：二つ以上の水準に値のある要因がないので、分散は分けられない。",
        "{questions}: no factor has values of two levels, and the variance cannot be divided.",
    ),
    "n.variance_no_repeat": (
        "{questions}：どの水準にも値が一つしかないので、分散は分けられない。",
        "{questions}: each level has only one value, and the variance cannot be divided.",
    ),
    "n.variance_not_apart": (
        "{questions}：要因どうしを区別できる水準の組み合わせが足りないか、要因に帰せられる分散がないので、分散は分けられない。",
        "{questions}: there are too few combinations of levels to tell the factors apart, and the "
        "variance cannot be divided.",
    ),
    "n.no_raters": (
        "モデルが一つだけなので、モデル間の一致は計算しない。",
        "There is only one model: nothing can be said of agreement between models.",
    ),
    "n.constant_raters": (
        "どの条件でも同じ値のモデル：{names}。このようなモデルとの一致は、値からは測れない。",
        "The same in every cell: {names}. How far others agree with such a model cannot be seen.",
    ),
    "n.no_precision": (
        "試行のばらつきが分からないので、試行の数については何もいえない。",
        "How trials vary is not known: nothing can be said of how many would be enough.",
    ),
    "n.no_contrasts": (
        "比べるものがない：モデルも、各要因の水準も一つだけである。",
        "There is nothing to compare: one model, and one level of each factor.",
    ),
    "n.confounded": (
        "注意：温度はペルソナとテキストから計算されており、同じペルソナ・テキストで異なる温度の条件がない。"
        "温度の効果は、ペルソナやテキストの違いと区別できない。",
        "Caution: temperatures were calculated from persona and text, and no persona and text were "
        "asked at two temperatures. An effect of the temperature cannot be told from one of the "
        "persona or the text.",
    ),
    "n.confounded_factors": (
        "注意：温度は {factors} の水準から計算されており、同じ水準の組み合わせで異なる温度の条件がない。"
        "温度の効果は、これらの水準の違いと区別できない。",
        "Caution: temperatures were calculated from the levels of {factors}, and no combination of "
        "levels was asked at two temperatures. An effect of the temperature cannot be told from one "
        "of these levels.",
    ),
    "n.many_levels": (
        "要因 {factor} には {count} の水準がある。水準ごとの図と表は {limit} 水準までで、ここでは省く。"
        "水準ごとの値は answers.parquet の列 {column} にある。",
        "The factor {factor} has {count} levels. Figures and tables by level go up to {limit} levels "
        "and are left out here; the values of each level are in answers.parquet, column {column}.",
    ),
    "n.many_cells": (
        "条件別の得点の表は {count} 行になるので省く（{limit} 行まで）。条件ごとの値は、各実行の answers.parquet にある。"
        "export.format=long で一つの表になる。",
        "The table of scores by cell would have {count} rows and is left out (up to {limit} are "
        "shown). The values of each cell are in every run's answers.parquet; export.format=long "
        "makes them one table.",
    ),
    "n.many_cells_choices": (
        "条件別の選択肢の割合の表は {count} 行になるので省く（{limit} 行まで）。条件ごとの値は、各実行の answers.parquet にある。"
        "export.format=long で一つの表になる。",
        "The table of shares by cell would have {count} rows and is left out (up to {limit} are "
        "shown). The values of each cell are in every run's answers.parquet; export.format=long "
        "makes them one table.",
    ),
    "n.many_options": (
        "{question} には {count} の選択肢がある。図は {limit} までの選択肢について描き、ここでは表だけを示す。",
        "{question} has {count} options. Figures go up to {limit} options: it stands in the tables "
        "only.",
    ),
    "n.no_kappa": (
        "同じ条件を二つ以上共有する二つのモデルがないので、モデル間の一致は計算しない。",
        "No two models share two or more cells: there is no agreement between models.",
    ),
    "n.no_reasons": ("どの質問も理由を尋ねていない。", "No question asks for a reason."),
    "n.no_temperature": (
        "温度は一つだけ、または送信していない。ばらつきとの関係は分からない。",
        "There is only one temperature, or none was sent: nothing can be said of its effect.",
    ),
    "n.no_correlation": (
        "質問が一つだけなので、相関はない。",
        "There is only one question, and no correlation.",
    ),
    "n.no_correlation_numbers": (
        "数値の質問が一つだけなので、相関はない。",
        "Only one question has a number: there is no correlation.",
    ),
    "n.usage": (
        "読めなかった回答も含む、すべての試みの合計。一部でも分からなければ合計は「不明」。",
        "Over all attempts, also those whose answer could not be read. A sum is unknown as soon as "
        "a part of it is.",
    ),
    "n.cached": (
        "入力トークンのうち{count}（{share}）はキャッシュから読まれ、その分は安い。",
        "Of the input tokens, {count} ({share}) were read from a cache, and cost less.",
    ),
    "n.usage_rehearsal": (
        "模擬実行の費用は、実際に送った場合の概算であり、支払いはない。",
        "The cost of a rehearsal is what the tokens would have cost; nothing was paid.",
    ),
    # methods
    "m.units": (
        "依頼：一つのペルソナが一つのテキストを一つの温度で一回読むこと。条件：モデル × ペルソナ × テキスト × 温度。"
        "試行：同じ条件の繰り返し。値：{value}。",
        "A request: one persona reads one text once at one temperature. A cell: model × persona × "
        "text × temperature. A trial: a repetition of the same cell. A value: {value}.",
    ),
    "m.units_factors": (
        "条件：{cell} の一つの組み合わせ（ある要因のない実験では、その要因は空欄）。依頼：一つの条件を一回尋ねること。"
        "試行：同じ条件の繰り返し。値：{value}。",
        "A cell: one combination of {cell}; a factor that an experiment does not have is empty there. "
        "A request: one cell is asked once. A trial: a repetition of the same cell. A value: "
        "{value}.",
    ),
    "m.value_number": (
        "一つの依頼の一つの質問への数値",
        "the number given to one question in one request",
    ),
    "m.value_choice": (
        "一つの依頼の一つの質問で選ばれた選択肢",
        "the option chosen for one question in one request",
    ),
    "m.value_both": (
        "一つの依頼の一つの質問への数値、または選ばれた選択肢",
        "the number given to one question in one request, or the option chosen",
    ),
    "m.as_number": ("一つの数", "one number"),
    "m.as_choice": ("一つの選択肢", "one of the options"),
    "m.as_both": ("尋ねた種類の答え", "an answer of the kind that was asked for"),
    "m.missing": (
        "欠測値：{what}として読み取れなかった値。推測も補完もせず、どの統計でも 0 として数えない。"
        "n は実際に使った値の数で、n + 欠測 = 総数。",
        "A missing value could not be read as {what}. It is not guessed, not imputed, and 0 in "
        "no statistic. n is the number of values used; n + missing = total.",
    ),
    "m.scores": (
        "平均・中央値・標準偏差（n − 1 で割る）は、すべての値を同じ重みで数える。",
        "Mean, median and standard deviation (divided by n − 1) weigh every value alike.",
    ),
    "m.shape": (
        "歪度 G1 と尖度 G2（正規分布で 0）：標本の大きさで補正した値（Joanes & Gill 1998）。値が 3 個、4 個に満たないか、"
        "すべて等しければ空欄。",
        "Skewness G1 and excess kurtosis G2 (0 for a normal distribution), corrected for small samples "
        "(Joanes & Gill 1998); none below 3 and 4 values, or where all are equal.",
    ),
    "m.interval": (
        "平均の 95 % 区間：ウィルソンのスコア区間に、有効な回答数 n* = p(1 − p)/v と t 分布を用いる（Dean & Pagano 2015）。"
        "p は質問の尺度（下限 0、上限 1）での平均の位置、v はその分散である。条件が二つ以上ある群では条件を単位とし"
        "（クラスターに頑健な CR2、自由度は Bell & McCaffrey 2002）、条件が一つだけの群ではその値を単位として、"
        "その条件の平均についての区間とする（表の「区間の単位」）。すべての値が等しければ区間はない。乱数は用いない。",
        "95 % interval of a mean: Wilson's score interval with n* = p(1 − p)/v for the number of "
        "answers, and t instead of z (Dean & Pagano 2015). p is the mean's place on the question's "
        "scale, from 0 to 1, and v the variance of that place: between cells in a group of two or more "
        "(cluster-robust, CR2, degrees of freedom of Bell & McCaffrey 2002); in a group of one cell "
        "between its values, and then the interval is about that cell's own mean (column “units of the "
        "interval”). There is none where all values are equal. Nothing is drawn at random.",
    ),
    "m.contrasts": (
        "同じ条件での比較：二つの水準（モデル、またはほかの要因の水準）の両方に値のある条件ごとに平均の差をとる。"
        "条件はほかの要因の水準と温度で決まる（温度が水準から計算されたものなら、モデル以外の比較では条件に含めない）。"
        "モデル以外の水準の比較では、差をモデルにわたって平均したものを一つと数える。区間は k 個の差の平均の t 区間（自由度 k − 1）、"
        "d は差の平均 ÷ 差の散らばり（SD）、クリフの δ は条件の平均どうしで大きい割合 − 小さい割合（Cliff 1993）。"
        "p は差の符号を入れ替える並べ替え検定（両側）で、差が 13 個までは全通り、それより多ければ常に同じ 9,999 通りによる。"
        "ホルムの p（Holm 1979）は、一つの質問の、一つの要因の水準間の比較すべてにわたる。"
        "条件どうしは独立とみなす。共有する条件が二つに満たなければ比べない。差がすべて等しければ区間も d もない。"
        "まれな選択肢では、区間が真の差を含むのは 100 回中 88〜97 回ほどである。",
        "Paired contrasts: in each cell in which two levels (models, or levels of another factor) both "
        "have a value, the difference of their means. A cell is a combination of the other factors' "
        "levels and the temperature; a temperature that was calculated from the levels is left out of "
        "it, but between models. Between levels of other factors one difference is the mean over the "
        "models. The interval is the t interval of the mean of k differences (k − 1 degrees of "
        "freedom); d is their mean over their sd; Cliff's δ is how often a cell's mean "
        "of one level is above one of the other, less how often below (Cliff 1993). p is two-sided, "
        "from flipping the signs of the differences: all patterns up to 13 of them, else 9,999 that are "
        "always the same. Holm's p (Holm 1979) is over all comparisons of one question between levels "
        "of one factor. Cells count as independent. There is no comparison below two shared cells, "
        "and no interval and no d where all differences are equal. Of a rare option the interval holds "
        "the true difference in 88 to 97 of 100 studies.",
    ),
    "m.variance": (
        "分散の内訳：質問と実験ごとに、変えた要因（モデル、水準が二つ以上ある要因、同じ条件で変えた温度）と二要因の交互作用を交差した変量効果とし、"
        "制限付き最尤法（REML、Harville 1977）で混合モデルを当てはめる。値は各条件の n、平均、平方和にまとめるが、推定値は一つずつの値からのものと同じである。"
        "残差は同じ条件の試行のばらつきと、三つ以上の要因の交互作用（条件あたり一つの値なら二要因のものも）を含む。"
        "ANOVA は平方和をその期待値に等しいとおいたもの（Henderson 1953 の方法 I。釣り合った表では平均平方の期待値）で、負になれば 0 とする。"
        "当てはめが特異か収束しないとき、割合はこれによる。割合の 95 % 区間は一般化信頼区間（Weerahandi 1993）、残差では修正大標本法の区間"
        "（Burdick, Borror & Montgomery 2005）と合わせた広い方で、n が異なれば条件の平均と n の調和平均による。乱数は用いない。"
        "水準の組み合わせのうち値のないものが一割を超えると区間は示さず、一割までなら Yates（1933）のように補って自由度を減らす。正規分布なら 100 回中 93〜98 回（残差では 91〜97 回）、真の割合を含む。",
        "Where the variance is: by question and experiment, a mixed model fitted by restricted maximum "
        "likelihood (REML, Harville 1977), with the factors that vary (the model, each factor of two "
        "levels or more, and the temperature where it varies within the levels of the others) and their "
        "two-way interactions as crossed random effects. It works on n, mean and sum of squares of each "
        "cell, which gives the same estimates as the values one by one. The residual is what trials of "
        "one cell differ by, with the interactions of three factors or more (and of two, where a cell has "
        "only one value). ANOVA sets sums of squares equal to their expectations (Henderson 1953, method "
        "I; in a balanced table the expected mean squares); below 0 it is 0. The shares go by it where "
        "the fit is singular or does not converge. The 95 % interval of a share is the generalized "
        "confidence interval (Weerahandi 1993), of the residual the wider of it and the modified "
        "large-sample one (Burdick, Borror & Montgomery 2005); where cells differ in n, from their means "
        "and the harmonic mean of n. Nothing is drawn at random. Where up to a tenth of the combinations of "
        "levels have no value, what the terms give stands for them and the residual has fewer degrees of "
        "freedom (Yates 1933); where more have none, there is no interval. It holds the true "
        "share of normal values in 93 to 98 of 100 studies (of the residual in 91 to 97).",
    ),
    "m.agreement": (
        "試行間の一致：(1) 条件内の標準偏差 = √(Σ(nᵢ − 1)sᵢ² / Σ(nᵢ − 1))。(2) 級内相関係数 ICC(1) = "
        "(MSB − MSW) / (MSB + (n₀ − 1)MSW)、n₀ = (N − Σnᵢ²/N)/(k − 1)。条件を要因とする一元配置分散分析による。"
        "1 に近いほど、ばらつきは試行ではなく条件の違いから来る。条件どうしが似ていれば、試行がよく一致していても小さくなる。"
        "欠測値は除き、条件ごとの n の違いを許す。95 % 区間は、条件が 100 に満たなければ F 分布による（Shrout & Fleiss 1979）。"
        "条件の n が異なるときは n の調和平均と条件平均の分散を用いる（Thomas & Hultquist 1978）。100 以上なら、条件を一つずつ除いた"
        " log F のジャックナイフによる（Arvesen & Schmitz 1970）。F 分布は条件の平均も試行も正規分布に従うとみなすので、値の多くが"
        "尺度の一端に近いと、真の値を含むのが 100 回中 60〜90 回（ジャックナイフでは 90 回前後）にとどまり、当てにならない。"
        "どの条件でも試行がすべて等しいとき、推定値が区間に入らないときは、区間はない。",
        "Agreement between trials: (1) the sd within cells, √(Σ(nᵢ − 1)sᵢ² / Σ(nᵢ − 1)); (2) the "
        "intraclass correlation ICC(1) = (MSB − MSW) / (MSB + (n₀ − 1)MSW), n₀ = (N − Σnᵢ²/N)/(k − 1), "
        "from a one-way analysis of variance with the cell as factor. Near 1, values differ because "
        "cells do, not because trials do; where cells are alike it is small however well trials agree. "
        "Missing values are left out, cells may differ in n. The 95 % interval is below 100 cells that "
        "of F (Shrout & Fleiss 1979; where cells differ in n, with the harmonic mean of n and the "
        "variance of the cells' means, Thomas & Hultquist 1978), else the jackknife of log F, leaving "
        "out one cell after another (Arvesen & Schmitz 1970). F takes cells and trials for normally "
        "distributed: where most values are near one end of the scale it holds the true value in only "
        "60 to 90 of 100 studies (the jackknife in about 90) and is not to be trusted. There is none "
        "where the trials of every cell are equal, nor where it would not hold the estimate.",
    ),
    "m.precision": (
        "試行の数：半幅 = t(k − 1) × √((σ²条件間 + σ²条件内 / 試行数) / k)。k は条件の数、分散は試行間の一致の分散分析から求めた推定値"
        "（負の分散は 0）。試行を増やしても「無限回」より狭くはならず、それより狭くするには条件を増やすほかない。"
        "最後の二列は、一つの条件の平均の 95 % t 区間の半幅が尺度の 5 %、2.5 % になる試行の数（条件内の標準偏差を併合した値による）で、"
        "停止規則 until が止まるおよその数にあたる。空欄は 1,000 回を超える。",
        "Number of trials: the half-width is t(k − 1) × √((σ² between cells + σ² within / trials) / k) for k "
        "cells, the variances as the analysis of variance of the agreement between trials estimates them (a "
        "negative one is 0). More trials never make it narrower than “any number”; only more cells do. The "
        "last two columns say after how many trials the 95 % t interval of one cell's mean is ±5 or ±2.5 % of "
        "the scale, at the pooled sd within cells: about where the rule until would stop; empty: more than "
        "1,000.",
    ),
    "m.raters": (
        "モデル間の一致：モデルを評定者、条件（要因の水準と温度）を対象とし、条件ごとの平均を評定とする。"
        "ICC(2,1) は一つのモデルの評定の絶対的な一致、ICC(2,k) は全モデルの平均の信頼性、ICC(3,1) はモデルごとの高低を除いた一致で、"
        "全モデルに値のある条件について求める（Shrout & Fleiss 1979、区間は McGraw & Wong 1996。三〜五のモデルの高低が異なり条件が多いと、ICC(2,1) の区間が真の値を含むのは 100 回中 81〜92 回ほど）。"
        "クリッペンドルフの α（間隔、順序）は二つ以上のモデルに値のある条件すべてを用い、欠測は数えない。区間は log((1 + (m − 1)α)/(1 − α)) について（m は条件あたりの評定の数の平均）、"
        "条件を一つずつ除くジャックナイフと t 分布による。端のない区間と推定値を含まない区間は示さない。計算できないときは理由を示し、0 や 1 とはしない。",
        "Agreement between models: models are raters, cells (levels and temperature) what they rate, and a "
        "cell's mean is the rating. ICC(2,1) is the absolute agreement of single models, ICC(2,k) the "
        "reliability of the mean over all of them, ICC(3,1) the agreement once each model's own level is "
        "taken off: over the cells in which every model has a value (Shrout & Fleiss 1979; interval of "
        "McGraw & Wong 1996; that of ICC(2,1) holds the true value in only 81 to 92 of 100 studies where few "
        "models differ in level and cells are many). Krippendorff's α (interval, ordinal) takes every cell in which two models or "
        "more have a value; a missing one counts in nothing. Its interval is that of "
        "log((1 + (m − 1)α)/(1 − α)), m ratings a cell in the mean, leaving out one cell after another "
        "(jackknife), and t. An interval without an end, or that does not hold the "
        "estimate, is left out. What is not defined says why, and is never 0 or 1.",
    ),
    "m.rank_correlations": (
        "順位相関：二つのモデルの両方に値のある条件の平均について、スピアマンの ρ。条件が三つに満たないか、一方の値がすべて同じなら計算しない。",
        "Rank correlation: Spearman's ρ of the cells' means of two models, over the cells in which both "
        "have a value; none below three cells, or where one of them has the same mean everywhere.",
    ),
    "m.choice_raters": (
        "全モデルの一致：各条件で最も多い回答（一つに定まらなければ欠測）を評定とする。クリッペンドルフの α（名義）と区間は二つ以上のモデルに"
        "答えのある条件により（区間はジャックナイフ。二択では、条件が 30 に満たないと真の値を大きく外しうる）、フライスの κ は条件ごとにモデルの数が違うことを許す（Gwet 2014）。",
        "Agreement of all models: the most frequent answer of each cell is the rating, none where several "
        "are. Krippendorff's α (nominal) takes the cells in which two models or more have an answer; its "
        "interval is the jackknife's, and of two options not to be trusted below 30 cells. Fleiss' κ "
        "lets cells differ in how many models have one (Gwet 2014).",
    ),
    "m.confusion": (
        "混同行列：二つのモデルの、条件ごとに最も多い回答の組み合わせの数。一度もなかった組み合わせは省く。",
        "Confusion matrix: in how many cells two models have each pair of most frequent answers; pairs "
        "that no cell has are left out.",
    ),
    "m.weighted": (
        "重み付き κ（Cohen 1968）は、選択肢の番号が整数の順に並ぶ質問だけに示し、誰も選ばなかった選択肢も尺度に含める。",
        "Weighted κ (Cohen 1968) stands only where the options' ids are whole numbers in order; options "
        "that nobody chose are part of the scale.",
    ),
    "m.correlation": (
        "質問間の相関：モデルごとに、両方の値がある依頼について（対ごとに完全な場合）。ピアソンの r の区間は、フィッシャーの z の標準誤差を"
        "条件を一つずつ除いて求め（ジャックナイフ）、自由度 k − 2 の t 分布による（k は条件数、三つ以上）。"
        "値が三組に満たない、または一定のときは計算しない。条件が三つから五つなら区間は非常に広い。"
        "二種類の値しかない質問では、条件が 100 に満たないと真の値を含むのが 100 回中 90 回ほどにとどまる。",
        "Correlation between questions: by model, over the requests that have both values (pairwise "
        "complete). The interval of Pearson's r is that of Fisher's z with a standard error from leaving "
        "out one cell after another (jackknife), and t with k − 2 degrees of freedom for k cells, from "
        "three cells on. With fewer than three pairs, or a constant, there is none. Of three to five "
        "cells it is very wide; of questions with only two different values, and below 100 cells, it "
        "holds the true value in only about 90 of 100 studies.",
    ),
    "m.temperature": (
        "温度とばらつき：値が二つ以上ある条件の標準偏差を、同じモデルと温度で併合したもの。",
        "Temperature and spread: the standard deviation within cells that have two or more values, "
        "pooled over the cells of one model and temperature.",
    ),
    "m.scales": (
        "尺度得点は一回の回答での項目の平均で、逆転項目は折り返す。一つでも読み取れない項目があれば欠測とする。"
        "注意確認に外れた行も含む。",
        "A scale score is the mean of its items in one answer, reversed ones turned round; it is missing "
        "where one of them was not read. Rows that missed an attention check are included.",
    ),
    "m.checks": (
        "注意確認に外れた行は表の列 checks_missed で分かる。ここでは何も除いていない。",
        "The column checks_missed of the tables tells which rows; nothing is left out here because of it.",
    ),
    "m.shares": (
        "選択肢の割合：その選択肢を選んだ回答 ÷ 有効な回答 n（欠測値は含まない。n + 欠測 = 総数）。区間はウィルソンの "
        "95 % スコア区間（Wilson 1927）。同じ条件の試行は互いに似るので、条件が二つ以上ある群では、条件間の割合の違いから求めた"
        "有効な回答数 p(1 − p)/v と t 分布を用いる（Dean & Pagano 2015。選ばれなかった選択肢では、質問の全選択肢に共通の値）。"
        "条件が一つだけの群では n を用いる。条件が二つか三つの群の区間は非常に広く、ほぼ必ず真の割合を含む。"
        "条件が 12 以下の群でまれな選択肢の区間が真の割合を含むのは、100 回中 90 回ほどのことがある。",
        "Share of an option: the answers that chose it, of the n valid ones (missing values are not "
        "among them; n + missing = total). The interval is Wilson's 95 % score interval (Wilson 1927). "
        "Trials of one cell resemble each other: in a group of two or more cells it goes by the "
        "effective number of answers, p(1 − p)/v, from how much the cells' shares differ, and t (Dean & "
        "Pagano 2015; for an option that nobody chose, by that of the question's options together); in "
        "a group of one cell by n. Of two or three cells it is very wide, and nearly always holds the "
        "true share; of a rare option in 12 cells or fewer it may hold it in only 90 of 100 studies.",
    ),
    "m.consistency": (
        "条件内の一貫性：有効な回答が二つ以上ある条件について、その条件で最も多い回答と同じ回答の割合（全条件の回答をまとめて数える）。"
        "選択肢が k 個なら 100/k % より小さくはならない。偶然の一致は差し引いていない。",
        "Consistency within cells: in cells of two or more valid answers, the share of answers that "
        "are the most frequent one of their cell, over the answers of all these cells. With k options "
        "it is never below 100/k %; agreement by chance is not taken off.",
    ),
    "m.kappa": (
        "モデル間の一致：二つのモデルが共有する条件（要因の水準と温度が同じ）について、各条件で最も多い回答を比べる。"
        "一致率は同じ回答の条件の割合、コーエンの κ = (pₒ − pₑ)/(1 − pₑ)（Cohen 1960）は偶然の一致 pₑ を除いたもの。"
        "最も多い回答が一つに定まらない条件は除いて数を示す。共有する条件が二つに満たなければ計算しない。"
        "両方のモデルの答えがすべて同じ一つの選択肢なら κ は定まらない。",
        "Agreement between models: the most frequent answers are compared in the cells that two "
        "models share (the same levels and temperature). Agreement is the share of cells with the "
        "same answer; Cohen's κ = (pₒ − pₑ)/(1 − pₑ) (Cohen 1960) takes off pₑ that chance alone "
        "would give. Cells in which answers tie are left out and counted. There is none below two "
        "shared cells, and no κ where both models gave one and the same option everywhere.",
    ),
    "m.reasons": (
        "理由の長さ：前後の空白を除いた文字数（Unicode のコードポイント）。理由がなければ長さもない（0 ではない）。",
        "Length of a reason: characters (Unicode code points) without surrounding space. No reason "
        "has no length, not length 0.",
    ),
    "m.cost": (
        "費用：提供者が数えたトークンに、実行時に分かっていた単価を掛けたもの。請求額ではない。"
        "失われた試みや、トークン数のない回答は請求されうるので、その費用は0ではなく不明とする。",
        "Cost: the tokens that the provider counted, at the prices known when the run was made; "
        "not a bill. An attempt that was lost, or whose tokens were not counted, may be billed: its "
        "cost is unknown, not 0.",
    ),
    "m.pilot_passed": (
        "予備調査：{run} では、まず全条件にわたる {requests} 件を送り、最初の回答が有効なものが {needed} 件に達してから残りを送った"
        "（{read} 件を読み、{valid} 件が有効）。",
        "Pilot: in {run} {requests} requests over all conditions went first; the rest was sent once "
        "{needed} of them were valid at their first answer ({valid} of the {read} read are).",
    ),
    "m.pilot_failed": (
        "予備調査：{run} では、まず全条件にわたる {requests} 件を送った。最初の回答が有効なものは {read} 件のうち {valid} 件で、"
        "必要な {needed} 件に届かず、残りは送っていない。",
        "Pilot: in {run} {requests} requests over all conditions went first; {valid} of {read} were "
        "valid at their first answer, {needed} were wanted, and the rest was not sent.",
    ),
    "m.pilot_waiting": (
        "予備調査：{run} では、まず全条件にわたる {requests} 件を送り、まだ決まっていない（{read} 件を読み、{valid} 件が有効、"
        "必要なのは {needed} 件）。",
        "Pilot: in {run} {requests} requests over all conditions go first, and that is not over "
        "({read} are read, {valid} are valid, {needed} are wanted).",
    ),
    "m.pilot_set_aside": (
        "予備調査：{run} では予備調査が設定されたが、のちに外され（pilot=null）、その結果にかかわらず残りが送られた。",
        "Pilot: {run} had one, which was set aside later (pilot=null); the rest was sent whatever "
        "it came to.",
    ),
    "m.until_mean": ("{item} の平均（t 区間）", "the mean of {item} (t interval)"),
    "m.until_share": (
        "{item} で最も多く選ばれた選択肢の割合（Wilson の区間）",
        "the share of the most frequent option of {item} (Wilson interval)",
    ),
    "m.until": (
        "停止規則：{run} の各条件は {least} 回から始め、{what}の95 %区間の半幅が {width} 以下になるまで、多くても {most} 回まで"
        "尋ねた（有効な値は {least} 個以上）。達した条件 {reached}（うち値がすべて同じもの "
        "{constant}）、{most} 回でも達しなかった条件 {at_max}{named}、未完了 {open}。値を見て止めた区間は 95 % よりやや狭くなりうる。"
        "条件によって試行数が違うため、まとめた平均では多く尋ねた条件の重みが大きい。",
        "Stopping rule: in {run} each condition was asked {least} times, and then more, at most "
        "{most} times, until the 95 % interval of {what} was ±{width} or narrower, over at least "
        "{least} valid values. Conditions that reached it: {reached} ({constant} of them with all "
        "values the same); not within {most}: {at_max}{named}; open: {open}. An interval at which the "
        "asking was stopped can be a little too narrow. Conditions have different numbers of trials, "
        "so that a pooled mean weighs those more that were asked more.",
    ),
    "m.until_before": (
        "停止規則：{run} の一部の試行は、以前の規則（{item}、半幅 {width}、{least}〜{most} 回）によって尋ねられた。",
        "Stopping rule: some trials of {run} were asked by an earlier rule ({item}, ±{width}, {least} to "
        "{most} trials).",
    ),
    # methods.md
    "p.title": ("方法（下書き）", "Methods (draft)"),
    "p.draft": (
        "各実行の記録だけから作った下書きである。記録にないことは書いていない。"
        "次の報告書はこのファイルを作り直すので、書き直すときは別の名前で保存すること。",
        "A draft, made only from what the runs recorded; what is not recorded is not in it. The next "
        "report writes this file anew: keep yours under another name.",
    ),
    "p.stop": ("。", "."),
    "p.all": ("欠測値", "Missing values"),
    "p.wording": ("質問文", "Wording"),
    "p.asked_in": ("{runs} での質問文：", "As asked in {runs}:"),
    "p.rehearsal": (
        "REHEARSAL（模擬実行）：{model} には何も尋ねておらず、以下はすべて模擬サーバーの回答についてである。",
        "REHEARSAL: {model} was not asked anything; all of the following is about answers that the "
        "emulator made up.",
    ),
    "p.imported": (
        "値は取り込んだ表のもので、どのように集められたかはその表にある以上には分からない。",
        "The values come from an imported table; how they were collected is known only as far as it says.",
    ),
    "p.asked": (
        "{provider} の {model} に対する依頼は {count} 件である。",
        "There {count:is|are} {count} {count:request|requests} to {model} of {provider}.",
    ),
    "p.returned": (
        "提供者が示した回答モデル（依頼数）：{models}。",
        "Models that answered, as the provider names them (requests): {models}.",
    ),
    "p.not_returned": (
        "どのモデルが回答したかを、提供者は示していない。",
        "Which model answered is not recorded.",
    ),
    "p.dates": (
        "回答の日付は {first} から {last}（UTC）である。",
        "The answers date from {first} to {last} (UTC).",
    ),
    "p.levels": ("{factor} {count} 水準", "{factor}: {count} {count:level|levels}"),
    "p.conditions": (
        "条件は {count} 個{levels}、一条件あたりの試行は {trials} 回である。",
        "There {count:is|are} {count} {count:condition|conditions}{levels}, with {trials} "
        "{trials:trial|trials} each.",
    ),
    "p.temperatures": ("送信した温度：{values}。", "Temperatures as sent: {values}."),
    "p.temperatures_some": (
        "送信した温度：{values}。ほかの依頼では温度を送信していない。",
        "Temperatures as sent: {values}; with other requests none was sent.",
    ),
    "p.imported_rows": (
        "{provider} の {model} の行は {count} 行である。",
        "The table has {count} {count:row|rows} of {model} of {provider}.",
    ),
    "p.imported_temperatures": (
        "表にある温度：{values}。",
        "Temperatures as the table has them: {values}.",
    ),
    "p.calculated": (
        "{factors} の組み合わせごとに、温度は一つだけである。",
        "Each combination of {factors} was asked at one temperature only.",
    ),
    "p.no_temperature": ("温度は送信していない。", "No temperature was sent."),
    "p.settings": (
        "依頼の設定{where}：{settings}。",
        "Settings of the requests{where}: {settings}.",
    ),
    "p.shuffled_items": (
        "質問の順序は試行によって変えた（{order}、シード {seed}）。",
        "The order of the questions changed by trial ({order}, seed {seed}).",
    ),
    "p.shuffled_options": (
        "選択肢の順序は試行によって変えた（{order}、シード {seed}）。",
        "The order of the options changed by trial ({order}, seed {seed}).",
    ),
    "p.between": (
        "要因 {factor} は組み合わせごとに一水準だけを用いた（{said}）。",
        "Of the factor {factor}, each combination has one level only ({said}).",
    ),
    "p.sample": (
        "要因 {factor} の水準は標本である（{sample}）。",
        "The levels of the factor {factor} are a sample ({sample}).",
    ),
    "p.success": ("最初の回答で読み取れた {count} 件", "{count} read when first asked"),
    "p.retry_success": ("尋ね直して読み取れた {count} 件", "{count} read after being asked again"),
    "p.failed": (
        "尋ね直しの回数のうちに全部は読み取れなかった {count} 件",
        "{count} not read in full within the allowed number of attempts",
    ),
    "p.open": ("まだ終わっていない {count} 件", "{count} not ended yet"),
    "p.ends": ("依頼の結末：{ends}。", "How the requests ended: {ends}."),
    "p.attempts": (
        "尋ね直しがあればそれも含めて {answers} 件の回答があり、{lost} 件の試みは回答なしに終わった。",
        "Over all attempts there {answers:was|were} {answers} {answers:answer|answers}, and {lost} "
        "{lost:attempt|attempts} ended without one.",
    ),
    "p.no_rule": ("停止規則の記録はない。", "No stopping rule is recorded."),
    "p.tokens": (
        "提供者の数えたトークンは入力 {input}、出力 {output} である。",
        "The provider counted {input} input and {output} output tokens.",
    ),
    "p.cost": (
        "費用は {cost} 米ドル（トークン数 × 当時の単価。請求額ではない）。",
        "Cost: US${cost} (tokens at the prices known then; not a bill).",
    ),
    "p.cost_unknown": ("費用は不明である。", "The cost is not known."),
    "p.software": (
        "表を書いたときに入っていたソフトウェア：{versions}。",
        "Software that was installed when the tables were written: {versions}.",
    ),
    "p.levels_of": ("{factor} の水準：", "Levels of {factor}:"),
    "p.template": ("ひな型 {name}：", "Template {name}:"),
    "p.bounds": ("{low} から {high}", "{low} to {high}"),
    "p.persona": ("システムプロンプト、{name}：", "System prompt, {name}:"),
    "m.audit": (
        "読み取りの確認：action=sample が各パターンからほぼ同数の読み取りを引き、人が audit.csv に判定を書いた。"
        "誤り率は各パターンの割合を、引いたときの読み取りの数で重みづけたもの。区間はパターンごとの正確な区間"
        "（Clopper–Pearson）を Zou と Donner の方法で合わせた 95 % 区間で、控えめ（広め）である。"
        "誤りが一つもなくても幅があり、すべてを確認したパターンでは幅がない。判定は表の値を変えない。",
        "Readings checked by hand: action=sample drew about as many readings of each pattern, and "
        "somebody wrote verdicts into audit.csv. The error rate is the share of each pattern, weighted "
        "by how many readings it had when the sheet was drawn. Its 95 % interval combines the exact "
        "ones of the patterns (Clopper and Pearson) as Zou and Donner do, and is rather too wide than "
        "too narrow: it has a width where no error was found, and none where all readings of a "
        "pattern were checked. A verdict changes no value of the tables.",
    ),
    "m.people": (
        "モデルと人の一致：条件ごとに、モデルの値の平均と人の値の平均を比べる。r の区間はフィッシャーの z とジャックナイフ、"
        "ICC(2,1) と α はモデルと人を二人の評定者とみなしたもの、偏りは差の平均とその t 区間。一方に値のない条件は数えない。",
        "Models beside people: the mean of the model's values and the mean of the people's, cell by "
        "cell. The interval of r is Fisher's z with the jackknife; ICC(2,1) and α take the model and "
        "the people as two raters; bias is the mean difference, with its t interval. Cells that one of "
        "both has no value in do not count.",
    ),
    "m.choice_people": (
        "モデルと人の選択の一致：条件ごとに、モデルと人のそれぞれ最も多い答えを比べる（同数なら答えなし）。"
        "一致の割合の区間は Clopper–Pearson。選択肢の識別子が続き番号なら、重み付き κ も示す。",
        "Choices of models beside those of people: the most frequent answer of each, cell by cell (none "
        "where several are). The interval of the same answers is Clopper and Pearson's. Where the ids "
        "of the options are numbers in order, weighted κ is given, too.",
    ),
    "m.people_among": (
        "人どうしの一致：モデルと人の一致を読むときの目安。",
        "Agreement of the people among themselves: what the agreement of models with them can be held against.",
    ),
    "m.reproduce": (
        "同じデータと同じ版のソフトウェアからは、同じ報告書ができる。このページは作成日時を含まない。",
        "The same data and the same versions make the same report; this page holds no date of its "
        "making.",
    ),
}


class _Formatter(Formatter):
    """Chooses between two forms by a number: `{count:row|rows}` is the first form of 1."""

    def format_field(self, value: Any, format_spec: str) -> str:
        one, is_choice, many = format_spec.partition("|")
        if is_choice:
            return one if str(value) == "1" else many
        return str(super().format_field(value, format_spec))


_FORMATTER = _Formatter()


class Words:
    """The words of one language."""

    def __init__(self, language: str) -> None:
        """Choose the language, ja or en."""
        self.language = language
        self._place = LANGUAGES.index(language)

    def __call__(self, key: str, **parts: object) -> str:
        """Return the words of a key with its parts filled in."""
        return _FORMATTER.vformat(_WORDS[key][self._place], (), parts)

    def factor(self, name: str) -> str:
        """Return what a factor is called: the study's own two in words, others as they are named."""
        return self(f"c.{name}") if name in BUNDLED_FACTORS else name

    def factors(self, names: Iterable[str]) -> str:
        """Return what some factors are called, as a list."""
        return self("list_comma").join(map(self.factor, names))

    def title(self, name: str, factor: str = "") -> str:
        """Return the title of a table or a figure.

        Args:
            name: of its file, without ending.
            factor: whose levels it shows; one of a study's own makes a title of its own.
        """
        name = name.partition("-")[0]
        if not factor or factor in BUNDLED_FACTORS:
            return self(f"t.{name}")
        if name == f"{factor}_model":
            return self("t.factor_model", factor=factor)
        return self(f"t.{name.removesuffix(factor)}factor", factor=factor)

    def cause(self, cause: str, kind: str) -> str:
        """Return the words for a cause.

        Args:
            cause: why a value is missing.
            kind: of the questions: number, choice or both.
        """
        key = f"{cause}_{kind}"
        return self.code("cause", key if f"cause.{key}" in _WORDS else cause)

    def code(self, group: str, code: str) -> str:
        """Return the words for a code of the tables, or the code itself when it has none."""
        key = f"{group}.{code}"
        return self(key) if key in _WORDS else code


_INVISIBLE = {
    **{code: chr(0x2400 + code) for code in range(0x20)},
    0x7F: "\u2421",
    **{
        code: f"⟨U+{code:04X}⟩"
        for first, last in (
            (0x80, 0x9F),
            (0x200B, 0x200F),
            (0x2028, 0x202E),
            (0x2060, 0x206F),
            (0xFEFF, 0xFEFF),
        )
        for code in range(first, last + 1)
    },
}
"""Control characters, and those that would hide or turn round what stands beside them."""


def visible(text: str) -> str:
    """Return text in which nothing is hidden: control characters are shown by their names."""
    return text.translate(_INVISIBLE)
