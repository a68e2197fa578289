"""More of the report's words (words.py): of places, and of what is alike."""

from collections.abc import Mapping

MORE: Mapping[str, tuple[str, str]] = {
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
}
