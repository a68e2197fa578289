"""What may stand around the numbers of a sentence that answers: a short list, and nothing else.

Prose can make a number someone else's ("a survey gave interest 72"), so what is not known here leaves a
doubt, and a doubt is no answer.
"""

import re
from decimal import Decimal
from typing import Final

from runner.core.extract.regex import regex


def _any(words: str) -> str:
    return "(?:" + "|".join(words.split()) + ")"


_SIGNS: Final = r"[\s,、:：;|/()\[\]\"'。.!・•●○■□◆▪▶-]"
_FRAME_JA: Final = (
    r"(?:この|その|本|当該)?(?:作品|作|物語|小説|短編|詩|文章|テキスト)|私|読後|読み終えて|読んで|感じた|度合い|強さ"
    r"|まず|次に|続いて|そして|また|一方|最後に|および|及び|さらに|なお|以下|下記|次|上記|こちら"
    r"|評価値?|採点|点数|数値|得点|スコア|結果|回答|解答|答え|各(?:項目|質問)|それぞれ|項目|質問|感情"
    r"|について|に関して|に対して|として|のように|のとおり|の通り|とおり|通り|です|ます|でした|しました|いたしました|した|する|しま?す"
    r"|お?答えし?|示し|すると|しますと|以上(?:から|より|を踏まえ(?:て|ると)?)|点|くらい|ぐらい|程度|ほど|大学|学生|年生|視点|立場|から|[のをがはでもにとや]"
)
_FRAME_EN: Final = _any(
    "i i'd i'll i've i'm id would will give giving given assign assigning rate rated rating ratings score"
    " scores scored say put place evaluate for the this it its it's story work piece text poem novel tale in terms"
    " of regarding concerning on and but while whereas also my here are is answer answers response"
    " evaluation evaluations assessment assessments a an to as with next meanwhile however level levels"
    " personally follows following below these by that found find felt feel student first-year points point me"
)
_NUMBERING: Final = r"(?:[0-9]{1,2}[.)]|[一二三四五六七八九十]、|\([0-9]{1,2}\)|p[0-9]{1,3}:)"
FRAME: Final = regex(
    rf"[\s>]*{_NUMBERING}?(?:{_SIGNS}|[\u2600-\u27bf\U0001f300-\U0001faff\ufe0f]|{_FRAME_JA}|\b{_FRAME_EN}(?![a-z']))*+",
    re.IGNORECASE,
)
"""From the beginning of a sentence to what is named in it, or to its number."""
_LINK_JA: Final = (
    r"については|に関しては|としては|に対しては|のほうは|[はがをにのも]|度合い|度|レベル|の?(?:評価値?|点数|数値|得点|スコア|値|採点|評点)"
    r"|約|およそ|だいたい|大体|わずか|ほぼ|かなり|やや|比較的|高く|低く|高めの|低めの"
)
_LINK_EN: Final = _any(
    "is was at a an the gets get got receives earns scores score scored rating rate rated value level factor of as to be i'd"
    " i'll i i've would will give gave giving assign say put it comes in lands sits stands about around"
    " approximately roughly only just mere high low quite very relatively fairly moderate moderately strong"
    " earned received with points out"
)
LINK: Final = regex(
    r"(?:[ ,、:=→|()\[\]\"'/.・…█▉▊▋▌▍▎▏░▒▓■□●○◆◇▰▱]|- "
    rf"|{_LINK_JA}|\b{_LINK_EN}(?![a-z']))*+(?:\n[ >•・*]*(?:- )?(?:{_LINK_JA}|[:=() ]){{0,6}})?",
    re.IGNORECASE,
)
"""Between a name and its number."""
FOR: Final = regex(r" *(?:点|points?|%)? *(?:for|on|to|in) (?:the )?[\"'\[]?", re.IGNORECASE)
"""Between a number and its name."""
GOES_ON: Final = regex(
    r"(?: *points?)? (?:because|since|as|for|due|with|and|but|given|owing|thanks|while)\b"
    r"|点?(?:で(?=[、,])|と(?:かなり|とても|非常に|比較的|やや|少し)?(?:高|低)(?:く|め|い)"
    r"|にとど(?:まり|め)(?:ます|ました)|を(?:つけ|付け)(?:たいと思い)?(?:ます|ました)|としました|となり(?:ます|ました))",
    re.IGNORECASE,
)
"""Behind a number that is said; what follows is why."""
FOLLOWS: Final = regex(
    r"[ \])\"']*(?:点|ポイント|points?|pts?|%|パーセント)?(?:くらい|ぐらい|程度|ほど)?[ \])\"']*"
    r"(?:です|でした|だ|である|と評価します|と評価する|とします|とする|と思います|をつけます)?"
    r"(?:\Z|[\n。,.;:!|(\[/・]|、(?!と[いの言考思])| *-+ | +\Z)",
    re.IGNORECASE,
)
"""Behind a number, where something else begins."""
CLAUSE: Final = regex(r"[,、;:()\[\]|/]")
STOP: Final = regex(r"[。!?！？\n]|\.(?=\s|$)")
POINTS: Final = regex(
    r"以下|下記|次の|こちら|これ|結果|\b(?:here|below|following|these|this is|results?)\b|:\s*$",
    re.IGNORECASE,
)
"""What makes a sentence say whose the numbers are that follow."""
DOUBT: Final = regex(
    r"仮の|仮です|例(?:です|示|に(?:すぎ|過ぎ))|サンプル|平均|前回|参考|それとも|または|あるいは|訂正|修正|見直|撤回|によると|によれば|もっと(?:高|低)|もう(?:少し|ちょっと)(?:高|低)|いや、|違う"
    r"|最終|最高点|最低点|最大|上限|満点|段階|つ星|[★☆⭐]|割合|比率|配分|重み|(?:読者|友人|批評家|評論家|人々|学生)(?:なら|は|が|の)"
    r"|(?:他の|ほかの|多くの|一般の|一般的な)(?:人|読者|学生)"
    r"|(?:点数?|数値|評価|回答|値|スコア)[^。\n]{0,20}(?:ではな|じゃな|ありません|できな|しな)"
    r"|\b(?:examples?|sample|average|others|hypothe\w*|correct\w*|revis\w*|final\w*|initial\w*|either|instead|draft|edit"
    r"|weight\w*|proportion\w*|ratio|readers|people|critics|friends?|students|scale|stars?|top|max\w*|out of|reconsider\w*"
    r"|(?:one|zero|1|0) to \w+|placeholder|might|could|maybe|perhaps|should be|actually|wait|typo|lower|higher|raise|according|again|hmm)\b"
    r"|(?:\b(?:not|no|never)\b|n't)[^.\n]{0,40}\b(?:scores?|ratings?|numbers?|my|mine|agree|mean|values?|points?)\b",
    re.IGNORECASE,
)
"""What makes numbers another's, another scale's, or no answer at all, wherever it stands."""
BEFORE: Final = regex(
    r"人物|主人公|作者|著者|筆者|調査|アンケート|先生|教師|教員|クラス|学級|レビュー|確信|自信|信頼|重要|頻度|回数|目標|理想|確率|可能性"
    r"|本文が|本文の|ありません|提供|昨日|当時|かつて|サイト|もし|仮に|例|予想|以前|他の|ほかの|多くの|一般|ではな|じゃな|より|から[0-9]|AI\b"
    r"|\b(?:authors?|characters?|protagonist|narrator|hero|heroine|surveys?|polls?|teachers?|class|reviews?|confidence"
    r"|certainty|importance|probabilit\w+|chances?|frequency|goals?|targets?|yesterday|website|students|GPT\S*"
    r"|if|most|typical|previous(?:ly)?|earlier|expected|not|no|nor|never|cannot|than|least|between|or|first(?!-year)|then)\b|n't",
    re.IGNORECASE,
)
"""The same, where it stands before the first number; in a reason it says nothing."""

# --- a number without a name: blanks in a row are one, line breaks in a row are one

VALUE_WORDS: Final = (
    *("rating", "score", "answer", "response", "choice", "selection", "evaluation"),
    *("level of agreement", "agreement", "評価", "回答", "答え", "点数", "選択", "同意度"),
)
ANCHORS: Final = (
    r"(?:(?:strongly|somewhat|slightly|mostly|completely|very|neither|nor|not at all|とても|やや|よく)"
    r"(?![a-z]) ?)*(?:(?:agree|disagree|neutral|undecided|often|always|sometimes|rarely|never|seldom"
    r"|like me|true|そう思う|同意する?|当てはまる|あてはまる|ある|する)(?![a-z]) ?)+"
)
"""What the steps of a scale are called."""
PREFACE: Final = (
    r"(?:as|being) an ai(?: (?:language )?(?:model|assistant))?,? i (?:have no|do not have"
    r"|don't have|lack|do not experience|don't experience)(?: (?:any|personal|real|human|own"
    r"|feelings?|emotions?|opinions?|experiences?|beliefs?|preferences?|and|or))+,? ?"
    r"(?:but|however|so)[,:]? ?"
    r"|(?:私は)?AI(?:なので|ですので|として)、?(?:個人的な)?(?:感情|意見|経験|好み)は"
    r"(?:ありませんが|持ちませんが|ないが)、?"
)
"""What an AI says of itself before it answers all the same."""
PREFACED: Final = regex(PREFACE, re.IGNORECASE)
CANNOT: Final = regex(
    r"(?:\b(?:cannot|can not|unable|not able|decline|refuse)|(?:can|wo)n't)\b[^.\n]{0,30}"
    r"\b(?:rat(?:e|ing)|answer|scor(?:e|ing)|choose|respond|evaluate|assess|provide|judge)"
    r"|\bi(?: am|'m) sorry\b|申し訳|(?:評価|採点|点数|回答|答え|応え|判断)[^。\n]{0,20}"
    r"(?:[出で]来?き?ません|[えせれ]ません|かねます|控え|お断り)",
    re.IGNORECASE,
)
"""A refusal, also in a reason, where "I can't" alone is none."""
UNSURE: Final = regex(
    r"\b(?:or|if|unless|assuming|average|typical|examples?|e\.g|(?:he|she|they|who|it)"
    r" (?:said|says|answered)|most people|at (?:most|least)|but|though|then)\b"
    r"|例え?ば|たとえば|例[)\]です]|もし|平均|または|あるいは|なら|けど|ですが|しかし",
    re.IGNORECASE,
)
"""On the line of a number: it is another's, or no answer."""
TAKEN_BACK: Final = regex(
    r"\b(?:actually|on (?:second|further|reflection)|scratch that|instead|rather|correct(?:ion|ed)"
    r"|revis\w+|reconsider\w*|should(?: be| have)|make (?:it|that)|oops|typo|placeholder"
    r"|hypothe\w*|arbitrar\w*|random\w*|ignore|disregard|forget|never ?mind|strike|undo"
    r"|retract\w*|withdraw\w*|cancel\w*|edit|update\w*|wait|sorry|nope|nah|no(?=\s*(?:[,.;:!\n-]|\Z))"
    r"|hm+|maybe|perhaps|possibly|probably|might|could|unsure|uncertain|not sure|guess\w*"
    r"|depend\w*|tentativ\w*|for now|lower|higher|closer|(?:some|any)thing else|other than"
    r"|(?:another|a different) (?:rating|score|number|answer|value|choice|option|one)"
    r"|meant?|mistak\w+|mis(?:read|under|typ|click)\w*|would have|wrong|too \w+"
    r"|not my|not (?:really|quite)|not (?:a|an|the) (?:real|actual|right|answer)"
    r"|(?:most|other|many) (?:people|readers|students) (?:would )?(?:say|choose|answer|give|rate"
    r"|pick|select)|chang\w+ my|(?:if|but) i|the (?:true|real|right) (?:rating|answer|value))\b"
    r"|\b(?:this|that|it|which|above|rating|score|number|answer)\b[^.\n]{0,30}"
    r"\b(?:examples?|averages?|samples?|estimate|others|readers|incorrect|invalid|not)\b"
    r"|訂正|修正|撤回|やはり|やっぱり|いや(?=[、。!\s]|\Z)|いいえ|いえ(?=[、。!\s]|\Z)|か(?=[。!\s]|\Z)|間違|違[いうえ]|見直|変更|仮の|仮に|もし|例です|例として"
    r"|ではな|じゃな|平均|サンプル|ランダム|適当に|むしろ|別の|取り?消|待って|かもしれ|たぶん|多分|おそらく|わから|分から"
    r"|判断でき|迷|どちらと|もっと[高低]|もう少し|もう一度|[一二三四五六七八九十](?=点|です|を選|にし|に変)"
    r"|[?？~<>|{}…]|\.\.\.",
    re.IGNORECASE,
)
"""Anywhere behind a number: it is not the last word."""
OF_ITSELF: Final = regex(
    r"\b(?:number\w*|rat(?:e|ed|es|ing|ings)|scor\w+|answer\w*|respon[ds]\w*|values?|option\w*"
    r"|choices?|cho(?:ose|osing|se|sen)|pick\w*|select\w*|items?|questions?|scale|points?|count\w*"
    r"|how many|above|below|back|again|opposite|revers\w*|jok\w+|kidding|fun|opinion|pretend\w*"
    r"|test\w*|invent\w*|made up|list\w*|lines?|steps?|pages?)\b"
    r"|番号|数字|数値|点数|評価|回答|答[えを]|選択|選[ばびぶんぼ]|問題|設問|項目|質問|尺度|冗談|嘘|逆|反対|本当は|やめ|止め|自信|上記|下記|例",
    re.IGNORECASE,
)
"""What speaks of the answer, not of what was asked: it may say that it is none."""
SMALL_NUMBERS: Final = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
]
"""In words, from 0."""
SPELLED: Final = regex(
    rf"\b(?:{'|'.join(set(SMALL_NUMBERS[:11]) - {'one'})})\b"
    r"|\b(?:an?|say|choose|pick|is|give|no,|or) one\b",
    re.IGNORECASE,
)
"""A number in words: it may be another answer."""
ENGLISH: Final = regex(
    r"\b(?:the|this|that|these|those|because|since|it|its|it's|my|myself|i'm|i've|i'd|with|without"
    r"|they|their|them|would|which|when|what|very|often|always|usually|sometimes|rarely|never|and"
    r"|about|people|there|being|does|don't|doesn't|isn't|agree|disagree|feel|think|help|like|love"
    r"|enjoy|tend|believe|find)\b",
    re.IGNORECASE,
)
"""Stands in every sentence of English that is taken for one."""


def own_scale(minimum: int | Decimal, maximum: int | Decimal) -> str:
    """Return what finds a question's own scale, said as a range or by its steps."""
    low, high = re.escape(str(minimum)), re.escape(str(maximum))
    before = r"(?:(?:on|using|from) )?(?:(?:a|the|this) )?(?:scale (?:of |from )?)?"
    ranged = (
        rf"(?<![0-9.-]){low} ?(?:-|~|to|through|から) ?[+]?{high}(?![0-9]|\.[0-9])"
        r"(?: scale\b|の尺度で?)?"
    )
    steps = rf"|(?<![0-9.-]){high} ?段階(?:評価)?(?:で|中)?" if minimum == 1 else ""
    return (
        rf"(?:{before}(?:{ranged}|(?<![0-9.-]){high}[- ]points? (?:likert |rating )?scale)"
        rf"|(?<![0-9.-]){high} ?点満点(?:で|中)?{steps})"
    )


def answer_head(name: str, words: str, scale: str, *, dash: bool) -> str:
    """Return what may stand before the number of an answer; a dash only where no sign may."""
    asked = "(?:statement|question|item|sentence|claim|text|story|work|one)"
    it = rf"(?:(?:this|that|the)(?: (?:given )?{asked})?|it|myself|{name})"
    says = (
        r"i(?: would|'d|'ll| will| have to)?(?: personally| honestly)? (?:rate|give|score|say"
        r"|choose|pick|select|assign|answer|respond|go with)"
        rf"(?: (?:{it}|at|as|with|an?|the|to|(?:rating|score|answer|value)(?: of)?|number|option"
        rf"|my (?:{words})))*+ ?"
    )
    known_as = rf"(?:{words}|{name})"
    noun = (
        r"(?:here is |here's )?(?:(?:my|the) )?(?:(?:final|honest|overall|own) )?"
        rf"{known_as}(?: (?:for|to|on) {it})?(?: ?[\[(]?{scale}[\])]?)?"
        r"(?: (?:is|would be|of)(?: an?)? | ?\]?(?: ?(?:[:=]|->|→)|\n)|\])"
    )
    this = r"(?:it's|it is|this is|that's|it would be)(?: an?)? "
    anchor = rf"(?:i )?{ANCHORS}(?:[:(\[,\n]|- )"
    asked_ja = "この(?:文章?|質問|項目|作品|記述|設問|意見)(?:に対する|について|への)"
    japanese = rf"(?:私は|(?:(?:私|自分)の)?(?:{asked_ja}の?)?{known_as}(?:として)?(?:は、?|:)) ?"
    bullet = "(?:- )?" if dash else ""
    return (
        r"[\s\[(\"]*+(?:(?:so|thus|therefore|hence|overall|personally|honestly|sure|certainly|okay"
        rf"|ok)[ ,:.!\n]+)*(?:{PREFACE})?(?:[\[(]?{scale}[\])]?[,:、]?\s?)?"
        rf"(?:(?P<lead>{says}|{noun}|{this}|{anchor}|{japanese})\s?)?{bullet}[\s\[(\"]*+"
        rf"(?:{scale}[\])]?[,:、]? ?)?"
    )


def answer_tail(name: str, scale: str, maximum: str, *, percent: bool) -> str:
    """Return what may stand behind it; `rest` is what is said besides, set off from the answer."""
    unit = "点|ポイント| ?points?| ?pts?" + ("| ?%|パーセント" if percent else "")
    top = rf"(?:/|out of) ?{maximum}(?![0-9]|\.[0-9])"
    own = rf" ?{top}| ?[\[(](?:{scale}|{top})[\])]| {scale}"
    close = r"(?: ?[\])\"])*+"
    why = "because|since|as|due to|given|owing to|thanks to|なぜなら|理由は"
    return (
        rf"{close}(?:{own})?(?:{unit})?(?: is (?:my|the) (?:final )?(?:answer|rating|choice|score"
        rf"|response))?(?: (?:for|to|on) (?:this|that|it|me|{name}))?"
        r"(?:です|でした|だ|である|と(?:評価|回答|思い)します|と思います|とします|と答えます"
        r"|を(?:選び|つけ|選択し)ます|に(?:なり|し)ます)?"
        rf"{close}(?P<anchor>(?: ?[-,:(\[] ?| ){ANCHORS}{close})?(?P<stop> ?[.。!])?{close}"
        rf"(?P<rest>\s*\Z|\n[\s\S]*| - (?![-+0-9])[\s\S]*| ?:[\s\S]*|[ 、,。]*(?:{why})(?![a-z])[\s\S]*)\Z"
    )


DENIED: Final = regex(
    r"\b(?:no|not|none|never|nothing|neither|nor|without|lacks?|lacking|absent|hardly|barely|except"
    r"|excluding|false|less|least|most|little|few|unmentioned|irrelevant|only|first|second|third|last|skips?|skipped"
    r"|nowhere|ignor(?:es?|ed|ing)|silent|missing|exclud(?:es?|ed)|unclear|unlikely|rarely|seldom|avoid(?:s|ed)?"
    r"|left out|omitted|backwards?|reversed?|swap|swapped|instead|wrong|opposite|actually|other way"
    r"|kidding|descending|ascending)\b|n['’]t\b|[×✗✘❌☐]|\[ \]"
    r"|ない|なし|無|ません|ず[、。]|以外|除|いいえ|違|逆|最初|最後|だけ|のみ|[0-9]",
    re.IGNORECASE,
)
"""Behind an option of a list: what may take it out again."""
