"""The sentences pretend answers are made of, in Japanese and in English."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Phrases:
    """The sentences of one language; `{work}` and `{name}` stand for what is read and asked."""

    subjects: tuple[str, ...]
    verdicts: Mapping[str, tuple[str, ...]]
    """How a reason goes on, for a high, middle or low number."""
    afterthoughts: tuple[str, ...]
    preambles: tuple[str, ...]
    prose: tuple[str, ...]
    """What is said in the place of an answer."""
    refusals: tuple[str, ...]
    work: str
    """What is read, where it has no title."""
    no_number: str


_SUBJECTS = (
    "{work}の短い会話の運びが、",
    "{work}に描かれたやり取りの駆け引きが、",
    "{work}の結びの一行に込められた皮肉が、",
    "{work}全体を包む静かな語り口が、",
    "{work}で立場がくるりと入れ替わるところが、",
    "{work}の何気ない描写の裏にある問いかけが、",
    "登場するものたちの率直な言葉の選び方が、",
    "読み終えたあとに長く残る余韻が、",
    "淡々と進む展開と結末との落差が、",
    "声の調子まで聞こえてくるような書きぶりが、",
    "身近な情景から大きな問いへ広がる構成が、",
    "同じ言い回しを繰り返す独特のリズムが、",
)

_VERDICTS = {
    "high": (
        "{name}を強く引き起こし、最後まで気持ちが動き続けました。",
        "心に深く届いて、{name}がはっきりと湧き上がるのを感じました。",
        "予想を超えていて、{name}という言葉がまさにふさわしいと思いました。",
        "自分の経験とも重なり、{name}を抑えることができませんでした。",
        "場面を鮮やかに思い浮かべさせ、{name}が何度も押し寄せてきました。",
        "読み手の想像力を刺激するので、{name}をとても強く覚えました。",
        "一度読んだだけで胸に残り、{name}の気持ちでいっぱいになりました。",
        "人間の本質を突いていて、{name}を高く評価せずにはいられません。",
    ),
    "middle": (
        "ほどよく働き、{name}はある程度感じられましたが圧倒されるほどではありません。",
        "印象に残るものの、{name}としては中くらいの強さにとどまりました。",
        "少しずつ効いてきて、{name}を静かに意識させる程度だと感じました。",
        "興味を引きますが、{name}と同時に冷静に眺める気持ちもありました。",
        "場面によって強弱があり、{name}は半分ほど感じたという印象です。",
        "巧みだとは思いますが、{name}に関しては控えめな反応になりました。",
        "考えさせられる分だけ、{name}はやや間接的に伝わってきました。",
        "読み返すうちに効いてきて、{name}もそれなりに生まれました。",
    ),
    "low": (
        "中心にあるため、{name}と呼べるほどの感情はほとんど湧きませんでした。",
        "軽やかに受け取れるので、{name}を覚える場面は見当たりませんでした。",
        "別の感情を誘うため、{name}についてはごくわずかしか感じません。",
        "あまりに淡々としていて、{name}にはつながりにくいと思いました。",
        "理屈としては分かるものの、{name}を感じるには距離がありました。",
        "滑稽さのほうへ傾いているため、{name}はかなり弱いと判断しました。",
        "寓話のように整っていて、{name}が入り込む余地は少ないと感じました。",
        "穏やかに読めてしまうので、{name}はほぼ生じなかったと言えます。",
    ),
}

_AFTERTHOUGHTS = (
    "その点がとくに印象的です。",
    "もう一度読み返したくなります。",
    "語りの距離感がよく効いています。",
    "短い文章ながら考えさせられます。",
    "人によって受け取り方は分かれそうです。",
    "時代を越えて通じるものがあります。",
)

_PREAMBLES = (
    "以下のとおり回答します。",
    "作品を読んで、次のように感じました。",
    "それでは、各項目についてお答えします。",
    "承知しました。評価は次のとおりです。",
)

_PROSE = (
    "{work}を読んで、まず語り口の巧みさに引き込まれました。",
    "全体として{name}を強く感じる場面もあり、読後には静かな余韻が残りました。",
    "点数で表すのは難しいのですが、心に残る作品だと思います。",
)

_REFUSALS = (
    "申し訳ありませんが、私には感情がないため、この評価を行うことができません。",
    "申し訳ございません。その依頼にはお応えできません。",
    "AIとして作品に点数をつけることは控えさせていただきます。",
)

JAPANESE = Phrases(
    subjects=_SUBJECTS,
    verdicts=_VERDICTS,
    afterthoughts=_AFTERTHOUGHTS,
    preambles=_PREAMBLES,
    prose=_PROSE,
    refusals=_REFUSALS,
    work="この作品",
    no_number="評価不能",
)

ENGLISH = Phrases(
    subjects=(
        "The choice of words in {work} ",
        "The tone of {work} ",
        "The way {work} ends ",
        "What {work} leaves unsaid ",
        "The detail in {work} ",
        "The first sentence of {work} ",
    ),
    verdicts={
        "high": (
            "makes {name} very clear to me.",
            "leaves no doubt about {name}.",
            "points strongly to {name}.",
        ),
        "middle": (
            "suggests some {name}, though not without reserve.",
            "speaks for {name} only in part.",
            "gives a mixed picture of {name}.",
        ),
        "low": (
            "gives hardly any sign of {name}.",
            "speaks against {name}.",
            "has little to do with {name}.",
        ),
    },
    afterthoughts=(
        " Others may see it differently.",
        " A second reading did not change that.",
        " It is said in passing, which matters here.",
    ),
    preambles=(
        "Here are my answers.",
        "I have read the text and answer as follows.",
        "Thank you for the question.",
    ),
    prose=(
        "I read {work} with interest. ",
        "There is something to be said about {name}, and much depends on the reader. ",
        "It is hard to put that into a number.",
    ),
    refusals=(
        "I'm sorry, but I can't help with this evaluation.",
        "As an AI, I cannot rate this.",
    ),
    work="this text",
    no_number="cannot say",
)
