"""What may stand around the numbers of a sentence that answers: a short list, and nothing else.

Prose can make a number someone else's ("a survey gave interest 72"), so what is not known here leaves a
doubt, and a doubt is no answer.
"""

import re
from typing import Final


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
FRAME: Final = re.compile(
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
LINK: Final = re.compile(
    r"(?:[ ,、:=→|()\[\]\"'/.・…█▉▊▋▌▍▎▏░▒▓■□●○◆◇▰▱]|- "
    rf"|{_LINK_JA}|\b{_LINK_EN}(?![a-z']))*+(?:\n[ >•・*]*(?:- )?(?:{_LINK_JA}|[:=() ]){{0,6}})?",
    re.IGNORECASE,
)
"""Between a name and its number."""
FOR: Final = re.compile(r" *(?:点|points?|%)? *(?:for|on|to|in) (?:the )?[\"'\[]?", re.IGNORECASE)
"""Between a number and its name."""
GOES_ON: Final = re.compile(
    r"(?: *points?)? (?:because|since|as|for|due|with|and|but|given|owing|thanks|while)\b"
    r"|点?(?:で(?=[、,])|と(?:かなり|とても|非常に|比較的|やや|少し)?(?:高|低)(?:く|め|い)"
    r"|にとど(?:まり|め)(?:ます|ました)|を(?:つけ|付け)(?:たいと思い)?(?:ます|ました)|としました|となり(?:ます|ました))",
    re.IGNORECASE,
)
"""Behind a number that is said; what follows is why."""
FOLLOWS: Final = re.compile(
    r"[ \])\"']*(?:点|ポイント|points?|pts?|%|パーセント)?(?:くらい|ぐらい|程度|ほど)?[ \])\"']*"
    r"(?:です|でした|だ|である|と評価します|と評価する|とします|とする|と思います|をつけます)?"
    r"(?:\Z|[\n。,.;:!|(\[/・]|、(?!と[いの言考思])| *-+ | +\Z)",
    re.IGNORECASE,
)
"""Behind a number, where something else begins."""
CLAUSE: Final = re.compile(r"[,、;:()\[\]|/]")
STOP: Final = re.compile(r"[。!?！？\n]|\.(?=\s|$)")
POINTS: Final = re.compile(
    r"以下|下記|次の|こちら|これ|結果|\b(?:here|below|following|these|this is|results?)\b|:\s*$",
    re.IGNORECASE,
)
"""What makes a sentence say whose the numbers are that follow."""
DOUBT: Final = re.compile(
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
BEFORE: Final = re.compile(
    r"人物|主人公|作者|著者|筆者|調査|アンケート|先生|教師|教員|クラス|学級|レビュー|確信|自信|信頼|重要|頻度|回数|目標|理想|確率|可能性"
    r"|本文が|本文の|ありません|提供|昨日|当時|かつて|サイト|もし|仮に|例|予想|以前|他の|ほかの|多くの|一般|ではな|じゃな|より|から[0-9]|AI\b"
    r"|\b(?:authors?|characters?|protagonist|narrator|hero|heroine|surveys?|polls?|teachers?|class|reviews?|confidence"
    r"|certainty|importance|probabilit\w+|chances?|frequency|goals?|targets?|yesterday|website|students|GPT\S*"
    r"|if|most|typical|previous(?:ly)?|earlier|expected|not|no|nor|never|cannot|than|least|between|or|first(?!-year)|then)\b|n't",
    re.IGNORECASE,
)
"""The same, where it stands before the first number; in a reason it says nothing."""

# --- a number without a name

VALUE_WORDS: Final = (
    *("rating", "score", "answer", "response", "choice", "selection", "evaluation"),
    *("level of agreement", "agreement", "評価", "回答", "答え", "点数", "選択", "同意度"),
)
ASKED: Final = "(?:statement|question|item|sentence|claim|text|story|work|one)"
ASKED_JA: Final = "(?:文章?|質問|項目|作品|記述|設問|意見)"
LABEL: Final = (
    r"(?:(?:strongly|somewhat|slightly|mostly|completely|very|neither|nor|not at all|agree|disagree"
    r"|neutral|undecided|often|always|sometimes|rarely|never|seldom|like me|true|そう思う|同意する?"
    r"|当てはまる|あてはまる|とても|やや|よく)\b ?)+"
)
PREFACE: Final = re.compile(
    r"(?:as|being) an ai(?: (?:language )?(?:model|assistant))?,? i (?:have no|do not have"
    r"|don't have"
    r"|lack|do not experience|don't experience)(?: (?:any|personal|real|human|own|feelings?"
    r"|emotions?"
    r"|opinions?|experiences?|beliefs?|preferences?|and|or))+,? ?(?:but|however|so)\b[,:]?"
    r"|(?:私は)?AI(?:なので|ですので|として)、?[^。\n0-9]{0,12}(?:ありませんが|持ちませんが|ないが)、?",
    re.IGNORECASE,
)
"""What an AI says of itself before it answers all the same."""
COUNT: Final = re.compile(
    r"\b(?:chapter|page|p\.|question|item|statement|step|part|line|no\.) ?\d+"
    r"|(?:\banswer|\bresponse|回答) ?\d+ ?:"
    r"|\d+(?:\.\d+)? (?:more |other )?(?:times|days|weeks|months|years|hours|minutes|people|persons"
    r"|friends|children|siblings|books|pages|items|questions|statements|reasons|things|ways)\b",
    re.IGNORECASE,
)
UNSURE: Final = re.compile(
    r"\b(?:if|or|unless|assuming|hypothe\w*|depend\w*|unsure|not sure|uncertain|guess|average"
    r"|typical"
    r"|example|e\.g|(?:he|she|they|who|it) (?:said|says|answered)|for now|tentativ\w*|most people"
    r"|at (?:most|least))\b|例え?ば|たとえば|例[)\]です]|もし|仮"
    r"|平均|または|あるいは|なら|暫定|[?？]",
    re.IGNORECASE,
)
"""In the sentence of a number: it is another's, or no answer."""
TAKEN_BACK: Final = re.compile(
    r"\b(?:actually|on (?:second|further|reflection)|scratch that|instead|correct(?:ion|ed)"
    r"|revis\w+"
    r"|reconsider\w*|should be|make (?:it|that)|oops|typo|placeholder|hypothe\w*|arbitrar\w*"
    r"|random\w*"
    r"|ignore|disregard|wait|not my|(?:most|other|many) (?:people|readers|students)"
    r" (?:would )?(?:say|choose|answer|give|rate|pick|select)|not (?:a|an) (?:real|actual)"
    r"|changed? my|if i)\b"
    r"|\b(?:this|that|it|which|above|rating|score|number|answer)\b[^.\n]{0,30}"
    r"\b(?:examples?|averages?|samples?|guess|estimate|others|readers|wrong|mistake|incorrect"
    r"|invalid)\b"
    r"|訂正|修正|撤回|やはり|やっぱり|いや、|間違|見直|変更|仮の|仮に|もし|例です|例として|ではな|平均|サンプル"
    r"|ランダム|適当に|[一二三四五六七八九十](?=点|です|を選|にし|に変)",
    re.IGNORECASE,
)
"""Anywhere behind a number: it is not the last word."""
SPELLED_NUMBERS: Final = {
    "zero": 0,
    "one": 1,
    "two": 2,
    "three": 3,
    "four": 4,
    "five": 5,
    "six": 6,
    "seven": 7,
    "eight": 8,
    "nine": 9,
    "ten": 10,
}
SPELLED: Final = re.compile(
    rf"(?<![a-z])(?:{'|'.join(set(SPELLED_NUMBERS) - {'one'})})(?=\s*(?:[.,!;)\n]|\Z))"
    r"|(?<=no, )one\b|(?<=rather )one\b|(?<=or )one\b",
    re.IGNORECASE,
)
"""A number in words that ends a clause; "two sisters" does not."""
CANNOT: Final = re.compile(
    r"(?:\b(?:cannot|can not|unable|not able|decline|refuse)|(?:can|wo)n't)\b[^.\n]{0,30}"
    r"\b(?:rat(?:e|ing)|answer|scor(?:e|ing)|choose|respond|evaluate|assess|provide|judge)"
    r"|\bi(?: am|'m) sorry\b|申し訳|(?:評価|採点|点数|回答|答え|応え|判断)[^。\n]{0,20}"
    r"(?:[出で]来?き?ません|[えせれ]ません|かねます|控え|お断り)",
    re.IGNORECASE,
)
"""A refusal, also in a reason, where "I can't" alone is none."""
OTHER_KEY: Final = re.compile(
    r"\b(?:confidence|certain\w*|probab\w*|likelihood|ids?|no|num|index|items?|questions?(?! ?1\b)"
    r"|statement|pages?|chapter|year|age|counts?|total|sum|words?|tokens?|length|time|duration"
    r"|min\w*"
    r"|max\w*|scale|range|top|high\w*|low\w*|out|steps?|weight|version|status|code|error|average"
    r"|mean"
    r"|previous|others?|trial|attempt|priority|rank|temperature|expected|if|people|times)\b"
    r"|確信|自信|番号|年|回数|個数|人数|合計|平均|最大|最小|上限|満点|尺度",
)
"""In a key: its number is no answer."""


def answer_head(name: str, words: str) -> re.Pattern[str]:
    """Return what may stand before the number of an answer, blanks in a row taken for one."""
    it = rf"(?:(?:this|that|the)(?: (?:given )?{ASKED})?|it|myself|{name})"
    says = (
        r"i(?: would|'d|'ll| will| have to)? (?:personally |honestly )?(?:rate|give|score|say"
        r"|choose"
        rf"|pick|select|assign|answer|respond|go with)(?: (?:{it}|at|as|with|an?|the|to|be|about"
        rf"|(?:rating|score|answer|value)(?: of)?|number|option|my (?:{words})))*+"
    )
    noun = (
        rf"(?:here is |here's )?(?:(?:my|the) )?(?:(?:final|honest|overall|own) )?(?:{words}"
        rf"|{name})"
        rf"(?: (?:for|to|on) {it})?[ ,]*(?:is|would be|of|at)?(?: (?:an?|about))?"
    )
    bare = r"(?:it's|it is|this is|that's|it would be)(?: an?)?"
    label = rf"(?:i )?{LABEL} ?[:(\[,-]"
    japanese = (
        rf"(?:以下が|私|自分|{name}|この{ASKED_JA}|{words}|です。|については|に対する|として"
        r"|[のはをがにで、:]| |約)*+"
    )
    return re.compile(
        r"[ ,、:\[]*(?:(?:so|thus|therefore|hence|overall|personally|honestly|sure|certainly|okay"
        r"|ok)"
        rf"[ ,:.!]+)*(?:{says}|{noun}|{bare}|{label}|{japanese}) ?\]?(?:\( ?\) ?)?(?:[:=]|->|→"
        rf"|-)?[ (\[\"']*",
        re.IGNORECASE,
    )


def answer_tail(name: str, *, percent: bool) -> re.Pattern[str]:
    """Return what may stand behind the number; `said` ends where something else begins."""
    it = rf"(?:(?:this|that|the) {ASKED}|this|that|it|me|{name})"
    unit = "点|ポイント| ?points?(?! ?:)|pts?" + ("| ?%|パーセント" if percent else "")
    close = r"[ \])\"']*"
    return re.compile(
        rf"(?P<said>{close}(?:{unit})?(?:くらい|ぐらい|程度)?(?: is (?:my|the) (?:answer|rating|choice"
        rf"|score|response))?(?: (?:for|to|on) {it})?(?:です|でした|だ|である|と(?:評価|回答|思い)します"
        r"|と思います|とします|と答えます|を(?:選び|つけ|選択し)ます|に(?:なり|し)ます)?"
        rf"{close})(?:\Z|\n|[。!;:,、(\[]|\.(?!\.)|(?<= )-+ |(?<= )(?={LABEL}"
        r"\s*(?:[.\n]|\Z))|(?<= )(?:because|since|as|due to|given|owing to|thanks to)\b|なぜなら|ので)",
        re.IGNORECASE,
    )
