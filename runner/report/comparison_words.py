"""Words of the report's sections on places and on what is alike; words.py has the others."""

from collections.abc import Mapping

COMPARISONS: Mapping[str, tuple[str, str]] = {
    # places
    "s.places": ("示した順番の影響", "Effects of the place shown"),
    "t.option_first": ("最初に示した選択肢が選ばれた割合", "Share of the option shown first"),
    "t.option_places": ("選ばれた選択肢を示した順番", "Place at which the chosen option was shown"),
    "t.item_first": ("最初に示したときの差", "Difference where an item was shown first"),
    "t.item_places": ("項目を示した順番と平均", "Means by the place at which an item was shown"),
    "c.place": ("示した順番", "place shown"),
    "c.chance": ("偶然（%）", "by chance (%)"),
    "x.share_first": ("最初の選択肢の割合（%）", "share of the first option (%)"),
    "k.option_first": (
        "点：最初に示した選択肢を選んだ回答の割合。線：正確な 95 % 区間。縦線：順番が影響しないときの割合。右端：有効な回答の数 n。",
        "Dot: share of the valid answers that chose the option shown first. Line: exact 95 % interval. "
        "Vertical line: the share where places do not matter. At the right: the number n of valid answers.",
    ),
    "k.item_first": (
        "点：最初に示したときの平均 − それ以外のときの平均（同じ条件）。線：95 % 区間。右端：最初に示した値の数 n。",
        "Dot: mean where the item was shown first, less the mean where it was not, in the same cells. "
        "Line: 95 % interval. At the right: the number n of values where it was shown first.",
    ),
    "n.first_options": (
        "最初に示した選択肢が偶然より多く、または少なく選ばれた（ホルムの p < 0.05）：{names}。",
        "The option shown first was chosen more or less often than by chance (p after Holm below 0.05): "
        "{names}.",
    ),
    "n.first_options_none": (
        "最初に示した選択肢が偶然より多く、または少なく選ばれたとはいえない（ホルムの補正後）。",
        "Nowhere was the option shown first chosen more or less often than by chance, after Holm's "
        "correction.",
    ),
    "n.first_items": (
        "最初に示したときに値が異なる項目（ホルムの p < 0.05）：{names}。",
        "Items whose values differ where they are shown first (p after Holm below 0.05): {names}.",
    ),
    "n.first_items_none": (
        "最初に示したときに値が異なるといえる項目はない（ホルムの補正後）。",
        "No item's values differ where it is shown first, after Holm's correction.",
    ),
    "one_first": ("{question}（{run}）{size}", "{question} ({run}) {size}"),
    "m.option_places": (
        "選択肢の順番は回答と無関係に引かれるので、順番が影響しなければ、選ばれた選択肢はどの順番にも 1/k の確率で現れる"
        "（k は選択肢の数。条件内の回答がどれほど似ていてもよい）。区間は Clopper–Pearson、p は二項検定（正確、両側）、"
        "ホルムの p は質問ごとの全行にわたる。shuffle.options: latin では p は大きめになる。欠測は数えない。"
        "一つを選ぶ質問だけを見る。",
        "Orders of options are drawn without regard to any answer: where places do not matter, the option "
        "that is chosen stands at each of k places with probability 1/k, however alike the answers of a "
        "cell are. The interval is Clopper and Pearson's, p is the exact binomial one (two-sided), Holm's "
        "p is over all rows of a question. With shuffle.options: latin p is rather too large. Missing "
        "values do not count. Only questions with one option to choose are looked at.",
    ),
    "m.item_places": (
        "項目の順番：その順番で示した値と、ほかの順番で示した値の両方がある条件ごとに平均の差をとり、条件を同じ重みで平均する。"
        "区間は差の t 区間、p は符号を入れ替える並べ替え検定、ホルムの p は質問ごとの全行にわたる。欠測は数えない。",
        "Places of items: in each cell with values at a place and elsewhere, the difference of the two "
        "means; each cell has the same weight. The interval is the t interval of the differences, p comes "
        "from flipping their signs, Holm's p is over all rows of a question. Missing values do not count.",
    ),
    # what is alike
    "s.alike": ("似ているもの", "What is alike"),
    "t.alike_model": ("モデルの類似", "Similarity of models"),
    "t.alike_persona": ("ペルソナの類似", "Similarity of personas"),
    "t.alike_text": ("テキストの類似", "Similarity of texts"),
    "t.alike_factor": ("{factor} の水準の類似", "Similarity of the levels of {factor}"),
    "c.shared": ("共通の条件", "shared cells"),
    "c.distance": ("平均絶対差（尺度の%）", "mean absolute difference (% of the scale)"),
    "v.few_cells_shared": (
        "できない：共通の条件が三つに満たない",
        "not comparable: fewer than 3 shared cells",
    ),
    "v.constant_profile": (
        "r なし：一方の値がどの条件でも同じ",
        "no r: one has the same value in every shared cell",
    ),
    "k.alike": (
        "マス：共通の条件の平均についてのピアソンの r（1 に近いほど、高低の並びが似ている）。斜線：r がない。"
        "左：1 − r を距離とした群平均法の樹形図で、近くで結ばれるほど似ている。",
        "Fields: Pearson's r of the cells' means, over the cells that both share (near 1: high and low in "
        "the same cells); hatched: there is none. At the left the clusters (average linkage of 1 − r): "
        "the nearer to the fields two are joined, the more alike they are.",
    ),
    "n.many_alike": (
        "{factor} には {count} の水準がある。類似は {limit} 水準までで、ここでは省く。",
        "There are {count} levels of {factor}: their similarity is shown up to {limit} levels, and left "
        "out here.",
    ),
    "n.nothing_alike": (
        "比べるものがない：モデルも、各要因の水準も一つだけである。",
        "There is nothing to compare: one model, and one level of each factor.",
    ),
    "m.alike": (
        "類似：質問と条件（ほかの要因の水準と温度。温度が水準から計算されたものなら、モデル以外の比較では条件に含めない）ごとの平均を、"
        "尺度の % に直したものを並べ、両方に値のあるところだけについて、ピアソンの r（高低の並びの類似）と平均絶対差（値そのものの近さ）を求める。"
        "共通の条件が三つに満たなければ比べない。質問ごとの高さの違いも r を大きくする。欠測は数えない。順序は群平均法のクラスターによる。",
        "Similarity: the means of each question and cell (levels of the other factors and the temperature; "
        "one that was calculated from the levels is left out of it, but between models), in per cent of "
        "the scale. Over those that both have a value in: Pearson's r (are they high and low in the same "
        "places), and the mean absolute difference (are the values the same). There is none below 3 "
        "shared cells. That questions differ in their means raises r, too. Missing values do not count. "
        "Rows stand in the order of the clusters (average linkage of 1 − r).",
    ),
    # models side by side
    "t.temperature_model": ("モデル × 温度：平均値", "Model × temperature: means"),
    "t.disagreement_persona": (
        "モデルの不一致（ペルソナ別）",
        "How much models disagree, by persona",
    ),
    "t.disagreement_text": ("モデルの不一致（テキスト別）", "How much models disagree, by text"),
    "t.disagreement_factor": (
        "モデルの不一致（{factor} 別）",
        "How much models disagree, by {factor}",
    ),
    "t.disagreement_cell": ("モデルの不一致（条件別）", "How much models disagree, by cell"),
    "t.vendors": ("開発元別のモデルの平均", "Means of the models, by vendor"),
    "c.vendor": ("開発元", "vendor"),
    "c.pooled_sd": ("モデル間の標準偏差（併合）", "sd over models, pooled"),
    "c.largest_sd": ("最大の条件の標準偏差", "sd of the cell with the largest"),
    "c.lowest": ("最も低いモデル", "lowest model"),
    "c.highest": ("最も高いモデル", "highest model"),
    "n.vendors_unknown": (
        "名前から開発元の分からないモデルは含めていない：{names}。",
        "Models whose name does not say who made them are left out: {names}.",
    ),
    "m.disagreement": (
        "モデルの不一致：条件（要因の水準と温度）ごとに、二つ以上のモデルの平均の標準偏差（各モデルを同じ重みで数える）。"
        "水準別には条件の分散の平均の平方根。試行が少ないことによる偶然のばらつきも含む。値のないモデルは数えない。",
        "How much models disagree: in each cell (levels and temperature) the standard deviation over the "
        "means of two models or more, each with the same weight; by level the root of the mean variance "
        "of its cells. Chance of few trials is part of it. A model without a value does not count.",
    ),
    "m.vendors": (
        "開発元：モデルの名前による（conf/vendors.yaml。取り込んだ表では表にある開発者）。モデルごとの平均を同じ重みで平均する。"
        "モデルによって尋ねた条件が違えば、開発元の違いとはいえない。",
        "Vendor: by the model's name (conf/vendors.yaml; of an imported table as it says). The mean is over "
        "the models' means, each with the same weight. Where models were asked in other cells, a difference "
        "need not be one of vendors.",
    ),
    # reasons
    "t.diversity": ("理由の多様さ", "Diversity of the reasons"),
    "t.diversity_persona": (
        "理由の多様さ（ペルソナ別）",
        "Diversity of the reasons, by persona",
    ),
    "t.diversity_text": ("理由の多様さ（テキスト別）", "Diversity of the reasons, by text"),
    "t.diversity_temperature": (
        "理由の多様さ（温度別）",
        "Diversity of the reasons, by temperature",
    ),
    "t.diversity_factor": (
        "理由の多様さ（{factor} 別）",
        "Diversity of the reasons, by {factor}",
    ),
    "c.diversity": ("平均距離", "mean distance"),
    "m.diversity": (
        "理由の多様さ：一つのモデルの一つの質問への理由どうしの平均距離（0：すべて同じ、1：共通の文字の並びがない）。"
        "2〜4 文字の並びの TF-IDF ベクトルの 1 − コサイン類似度を、すべての対について平均する。"
        "モデルと質問ごとに多くても {most} 個の理由を引いて用いる（シード {seed}）。水準別には、モデルごとの平均距離の平均。"
        "理由のない回答は数えない。長い理由どうしは似て見えやすい。",
        "Diversity of reasons: the mean distance between the reasons that one model gave to one question "
        "(0: all the same; 1: no sequence of characters in common): 1 − cosine of TF-IDF vectors over "
        "sequences of 2 to 4 characters, over all pairs. At most {most} reasons of each model and question "
        "are drawn (seed {seed}). By level, the mean over the models of their mean distances. An answer "
        "without a reason does not count. Long reasons tend to look alike.",
    ),
}
