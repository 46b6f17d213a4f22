"""Claims that nobody may make without proof, English and Chinese; and promises that no proof mends.

An advertiser must be able to prove what can be proved, before it is said (FTC, Policy Statement Regarding Advertising
Substantiation, 1984; UK CAP Code, rule 3.7). China's Advertising Law (2021) bans words like 国家级 and 最佳 (art. 9),
statistics without a source (art. 11), cures (art. 16, 17) and sure gains (art. 25). What the enforcement guide to
absolute terms leaves alone (国家市场监督管理总局公告 2023 年第 6 号) is left alone here: a house's attitude (顾客第一),
comparison with oneself (本店最大), advice (最佳食用期), order in time (第一次, 最新).

A pattern skips a bounded number of signs, so the time is linear. Left out: what a picture says, irony, and every claim
in words of its own. This is a net, not a lawyer.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from smlab.guardwords import BETWEEN_HAN, Hit, fold
from smlab.hanzi import ONE_HAN

GAP = r"[^.!?;\n]{0,40}?"
MOST = (
    "best|cheapest|fastest|strongest|safest|finest|largest|biggest|greatest|healthiest|smartest|lightest|thinnest"
    "|quietest|"
    "toughest|softest|tastiest|cleanest|longest[- ]lasting|fastest[- ]growing|highest[- ]quality|lowest[- ]prices?|"
    "lowest[- ]priced|leading|most (?:effective|advanced|powerful|reliable|trusted|popular|innovative|affordable|"
    "efficient|accurate|secure|comfortable|durable|loved|delicious|sustainable)"
)
PLACES = (
    "world|planet|earth|globe|market|industry|country|nation|city|town|region|europe|asia|america|britain|china"
    "|germany|"
    "universe|galaxy|internet|history|uk|u\\.k\\.|usa|u\\.s\\.|class|business"
)
ILLS = (
    "cancer|tumou?rs?|diabetes|arthritis|acne|eczema|psoriasis|insomnia|anxiety|depression|covid(?:-19)?"
    "|coronavirus|flu|"
    "colds|the common cold|migraines?|asthma|allerg(?:y|ies)|hair loss|baldness|obesity|adhd|autism|alzheimer'?s"
    "|dementia|hangovers?|"
    "heart (?:disease|attacks?)|strokes?|high blood pressure|hypertension|cholesterol|infections?|inflammation|"
    "(?:back|joint|chronic|knee|neck) pain|diseases?|illness(?:es)?|ag(?:e)?ing|wrinkles|cellulite|impotence"
    "|infertility"
)
PEOPLE = (
    "users?|customers?|people|women|men|parents?|mums?|moms?|dads?|dentists?|doctors?|experts?|patients?|clients?|"
    "shoppers?|buyers?|owners?|vets?|americans?|britons?|families|students?|employees|companies|businesses|marketers?"
)
THINGS = "results?|success|returns?|profits?|income|savings?|weight|approval|satisfaction|delivery|winners?|win|safe"
CLOTH = (
    "cotton|wool|linen|silk|cashmere|leather|bamboo|hemp|polyester|recycled|merino|denim|rye|wheat|whole ?grain"
    "|arabica|"
    "robusta|juice|fruit|beef|cocoa|chocolate|agave|malt|oak|wood|steel|aluminium|gold|silver|paper|sure|behind|agree|"
    "agreed|with you|committed|ready|of the time|off|electric|vegan|vegetarian|plant[- ]based|organic|online|remote"
    "|correct|right|support|supports|your|my"
)
ENGLISH_CLAIMS = {  # why, with what mends it: pattern
    "a superlative over all others must be proved": (
        rf"\b(?:{MOST})\b(?! of\b){GAP}\b(?:in|on|of|across|around) (?:(?:the|this|your|our|all) (?:whole "
        rf"|entire )?(?:{PLACES}|time)|earth|europe|asia|america|britain|china|germany|class|history|uk|usa)\b(?!-)"
        rf"|\b(?:{PLACES})'?s (?:\w+ ){{0,2}}(?:{MOST}|favou?rite|first|only|no\.? ?1|number one|#1)\b"
        rf"|\bthe (?:very )?(?:{MOST})\b{GAP}\b(?:ever (?:made|built|created|invented|sold)|available|money can buy"
        rf"|bar none|hands down|you(?:'ll| will| can)? (?:ever )?(?:find|buy|get|own|taste|try|need|use))\b"
        rf"|\bwe (?:\w+ )?(?:are|make|have|sell|offer|serve|brew|build|bake|deliver|provide|create"
        rf"|produce) the (?:{MOST})\b"
        r"|\b(?:we're|is|are|simply|still|voted) the best\b(?! (?:part|way|time|thing|of|place|gift|version|feeling"
        r"|day|medicine|policy|yet|for|reason|when|it|i|you|we)\b)"
        r"|\b(?<!one of )the (?:cheapest|fastest|strongest|safest|lowest prices?|most (?:effective|advanced"
        r"|powerful|reliable|trusted|accurate|secure))\b(?! (?:way|route|road|part|time)\b)"
        r"|\b(?<!our )(?:lowest|unbeatable|best) prices?\b(?! (?:of|since|ever)\b)|\bbest[- ]in[- ]class\b"
        r"|\bsecond to none\b|\bmarket[- ]leading\b|\b(?:market|industry) leader\b|\b(?:a|the) (?:world"
        r"|global) leader\b|\bleading (?:brand|provider|supplier|company|manufacturer)\b|\bworld[- ]leading\b"
        r"|\bindustry[- ]leading\b"
        r"|\b(?:unrivall?ed|unmatched|unparalleled|unsurpassed)\b|\b(?:nobody|no one|nothing"
        r"|no other \w+) (?:else )?(?:beats|works (?:better|faster)|comes close|compares)\b"
    ),
    "a first rank must be proved": (
        r"(?<!tip )(?<!step )(?<!rule )(?<!day )(?<!part )(?<!week )(?<!reason )(?<!lesson )(?<!chapter "
        r")(?<!episode )(?<!your )(?<!my )(?<!to )"
        r"(?:#|(?<![a-z])(?:no|nr)\.? ?|\bnumber )(?:1|(?<=number )one)\b(?![\d.,:)]*\d)(?! ?[:)]| (?:priority|goal"
        r"|rule|reason|fan|question|concern|job|mistake|tip|thing|step|issue|enemy|day)\b)"
        r"|\branked (?:first|top|number)\b|\btop[- ](?:rated|ranked)\b"
    ),
    "a comparison with others must be proved": (
        r"\b(?:\d+(?:\.\d)? ?(?:x|times|%)|twice|three times) (?:as |more |better )?(?:faster|stronger|better"
        r"|brighter|whiter|cheaper|thicker|longer[- ]lasting|safer|effective|efficient|fast|strong|powerful"
        r"|absorbent)\b"
        r"|\b(?:better|faster|stronger|cheaper|safer|healthier|more (?:effective|reliable|powerful)) than (?:all "
        r"|any |every |the |our |your )?(?:(?:\w+ )?(?:others?|rest|competit(?:ors?|ion)|brands?|leading|products?"
        r"|rivals?|shops?|stores?|anyone|anything)|any\b)"
        r"|\boutperforms?\b|\bbeats (?:all|every|any|the competition)\b"
    ),
    "who says so? Studies, experts and tests need their source": (
        r"\b(?:clinically|scientifically|medically|dermatologically|dermatologist|lab(?:oratory)?|doctor|dentist"
        r"|vet|expert|science|hospital|fda|physician)s?[- ](?:proven|proved|tested|approved|recommended?|endorsed"
        r"|backed|verified|certified)\b"
        r"|\bproven (?:to|results?|effective|formula|safe|method|system)\b|\b(?:backed|proven"
        r"|supported) by (?:science|research|studies|experts|doctors)\b"
        r"|\b(?:studies|research|science|scientists|doctors|dentists|experts|trials|tests) (?:\w+ )?(?:shows?"
        r"|proves?|proven|confirms?|agree|recommends?|swear)\b"
    ),
    "a figure about people needs its source": (
        rf"\b\d{{1,3}}(?:\.\d+)? ?(?:%|per ?cent) of (?:\w+ ){{0,3}}(?:{PEOPLE})\b"
        rf"|\b(?:\d+|nine|eight|seven|four|three) (?:out of|in) (?:every )?(?:\d+|ten|five"
        rf"|four) (?:\w+ ){{0,2}}(?:{PEOPLE})\b"
    ),
}  # fmt: skip
ENGLISH_PROMISES = {  # no source mends these
    "nobody can guarantee that; a warranty names its terms": (
        rf"(?<!money-back )(?<!satisfaction )\bguaranteed\b|\bwe guarantee\b|\bguarantees? (?:you|your|that|to|the"
        rf"|{THINGS})\b"
    ),
    "100 % holds for nothing but what a thing is made of": (
        rf"\b(?:100 ?%|100 per ?cent|(?:a |one )?hundred per ?cent)(?! (?:pure |natural |organic |recycled "
        rf"|certified )?(?:{CLOTH})\b)(?=\W|$)(?! of (?:the )?(?:proceeds|profits|it|them)\b)"
    ),
    "an advertisement must not promise to heal": (
        rf"\b(?:cur(?:e|es|ed|ing)|heal(?:s|ed|ing)?|treat(?:s|ed|ing)?|prevent(?:s|ed|ing)?|revers(?:e|es|ed|ing)"
        rf"|eliminat(?:e|es|ing)|fights?|eras(?:e|es)|reliev(?:e|es)|banish(?:es)?|stops?|ends?|get rid of"
        rf"|goodbye to|remov(?:e|es)) (?:[\w']+ ){{0,3}}(?:{ILLS})\b|\bcure-all\b"
        r"|\bmiracle (?:cure|drug|pill|cream|product|diet|treatment|weight|formula|serum|oil|results?|solution"
        r"|remedy)|\bno side[- ]effects?\b|\bwithout (?:any )?side[- ]effects?\b|\bboosts? (?:your )?immun\w+"
        r"|\bnever (?:get |be |feel |fall )(?:sick|ill|tired|old|fat|hungry) again\b|\bdetox(?:es|ify"
        r"|ifies)? your\b|\banti-?ag(?:e)?ing miracle"
        r"|\b(?:lose|drop|shed|burn|melt) (?:up to )?(?:\d+|ten|five|twenty) ?(?:kg|kilos?|lbs?|pounds?|stone"
        r"|inches)\b|\b(?:lose|drop) weight (?:fast|quickly|overnight|without|in)\b|\b(?:burns?"
        r"|melts?) (?:away )?(?:belly |body )?fat\b|\bkills 99|\binstant(?:ly)? (?:results|weight|relief|cure)"
        r"|\bovernight (?:results|success|weight)|\b(?:results|works?) overnight\b|\bpermanent(?:ly)? (?:results"
        r"|removes?|cures?|weight)"
    ),
    "an advertisement must not promise gains": (
        r"\brisk[- ]free\b(?! (?:trial|for \d+|30|60))|\b(?:no|zero|without) (?:any )?risk\b(?! of\b)|\b(?:double"
        r"|triple|multiply|10x) your (?:money|income|investment|savings|salary|bitcoin|crypto)\b|\bget[- ]rich\b"
        r"|\bmake you (?:rich|a millionaire)|\bbecome a millionaire|\b(?:easy|fast|quick|free) (?:money|cash)\b"
        r"|\bmake money (?:fast|online|from home|while)|\bpassive income\b|\byou (?:\w+ )?can(?:'|no)?t (?:lose"
        r"|fail)\b|\bnever lose (?:money|again)\b|\bsure[- ](?:fire|thing|profit|win)\b|\bfinancial freedom\b"
        r"|\b(?:earn|make|win|profit) (?:up to |over |at least )?(?:[$€£¥] ?\d[\d,.]*k?|\d[\d,.]*k? ?(?:dollars"
        r"|euros|pounds|usd|[$€£¥])) ?(?:\w+ ){0,3}(?:an?|per|every|each|/|from home|in|weekly|daily|monthly)\b"
        r"|\b\d+(?:\.\d+)? ?% (?:\w+ ){0,3}(?:returns?|yield|profits?|roi|interest)\b(?! (?:rate|policy|window))"
        r"|\b(?:high|huge|steady|fixed) returns?\b(?! polic)"
    ),
    "a claim for nature must be proved for the whole product": (
        r"\b(?:carbon|climate)[- ](?:neutral|negative|positive)\b|\b(?:zero|no)[- ](?:emissions?|carbon"
        r"|footprint)\b|\bnet[- ]zero\b|\bchemical[- ]free\b|\bgood for the planet\b|\b(?:saves?"
        r"|saving) the planet\b|\b(?:completely|totally|fully|perfectly|absolutely) (?:safe|natural|harmless"
        r"|painless|sustainable|risk)"
    ),
}  # fmt: skip
FRIENDS = (  # what may be 最好的
    "朋友|自己|时光|年纪|年华|安排|结果|办法|方法|证明|陪伴|回忆|状态|礼物|时间|时机|日子|季节|遇见|样子|生活|祝"
    "|一天|我们|你|方式|"
    "告白|爱|妈妈|爸爸|奖励|开始|青春|闺蜜|伙伴|假期|选择"
)
BEST_ZH = (  # after 最
    f"好(?:的(?!{FRIENDS})|[喝吃用玩看听穿](?!的时)|(?=[，。！!~]|$))|佳(?!食用|赏味|饮用|使用|观赏|口感|时间|时机"
    f"|拍摄|方法|保质|状态|搭配|体验|演员|导演|"
    "位置|角度|温度)|优惠|优秀|优质|强(?!烈|音)|大的?(?:品牌|企业|公司|平台|商城|商场|卖场|生产|供应|制造|基地|优惠"
    "|折扣|力度|店|厂|集团|连锁|规模|网|社区|超市|让利)|"
    "高(?:端|级|档|品质|标准|科技|水平|性价比|质量|品位|荣誉|工艺|配置|水准)|先进|有效|安全|便宜|专业|权威|顶级"
    "|受欢迎|热销|畅销|流行|时尚|正宗|纯正|健康|天然|舒适|"
    "低价|低折扣|具(?!体)|科学|牛|火爆|棒|尖端|豪华|奢华|领先|值得信赖|靠谱|齐全"
)
CHINESE_CLAIMS = {
    "第一、销量等数据须注明出处(广告法第九、十一条)": (
        "(?:销量|销售|全国|全球|世界|中国|亚洲|国内|行业|业内|全网|排名|口碑|市场|品质|质量|效果|天下|同类|华东"
        "|本市|全市|全省|人气|收视率?)[^，。！？；\\s]{0,6}第一(?![次时步眼课人])"
        "|第一(?:品牌|名牌|大品牌|家居?品牌|选择)"
        "|(?<!安全)(?<!顾客)(?<!客户)(?<!用户)(?<!质量)(?<!健康)(?<!友谊)(?<!品质)(?<!服务)第一(?=[，。！!；\\s]|$)"
        "|(?i:no[.．。]?1)(?!\\d)|top ?1(?!\\d)|(?:销量|销售)冠军|(?:行业|市场|全球|全国)领先|领导品牌|(?:行业|市场"
        "|领域|品类)的?领导者|遥遥领先|排名前[一1]|(?:全国|全球|全网|世界|国内|行业|业内|市场)[^，。]{0,4}唯一"
        "|唯一(?:指定|官方|授权|一家|一款|品牌|拥有|能够|有效|正品)|首选(?!项)"
        f"|(?:\\d{1,4}|九成|八成|绝大)(?:\\.\\d{1,2})?(?:%|成)?以?上?的?(?:用户|顾客|消费者|妈妈|女性|客户|医生"
        f"|专家|买家)(?:都|选择|满意|推荐|认为|表示|反馈)|(?:专家|医生|明星|权威机构)(?:都在?|一致|强烈)?(?:推荐"
        f"|认证|证明|证实)|(?:科学|临床|实验|权威)(?:证明|证实|验证|实验|研究|认证)"
    ),
}  # fmt: skip
CHINESE_PROMISES = {
    "绝对化用语,广告法第九条第三项": (
        f"(?:我(?!们是|们的|家)[^，。！？]{{0,8}})?最(?:{BEST_ZH})|国家级|世界级|宇宙级|全球级|顶级|顶尖|极品|绝佳"
        f"|独一无二|绝无仅有|史无前例|前所未有|空前绝后|无与伦比|无人能及|万能(?!的|胶|搭|钥匙|充|公式|工具|小|油)"
        f"|王牌(?!军|对|特|战|飞)|史上最|全网(?:最低|底价)|驰名商标|国家免检|特供|永久(?:有效|美白|祛|脱毛|去除"
        f"|根除|定型|不)|性价比最高|百分之?百|(?<!\\d)100%(?!纯?(?:棉|羊毛|亚麻|真丝|桑蚕丝|聚酯|果汁|牛皮|阿拉比卡"
        f"|全麦|可可|不锈钢|羊绒|涤纶|锦纶|莱赛尔))|绝对(?:安全|有效|正宗|最|第一|正品|无害)|(?:包|保证|确保"
        f"|承诺)(?:有效|治愈|成功|赚|见效|瘦|满意|美白|治|通过|录取|升值)"
    ),
    "普通广告不得涉及疗效、治病(广告法第十六、十七条)": (
        "根治|永不(?:反弹|复发)|不反弹|治愈|治好|包治|药到病除|疗效|特效药?|神药|祖传秘方|偏方"
        "|无(?:任何)?(?:毒)?副作用|零副作用|立竿见影|(?:治疗|预防|抑制|消除|抵抗|抗)(?:癌|肿瘤|糖尿病|高血压|失眠"
        "|痘痘|湿疹|脱发|便秘|炎症|疾病|新冠|病毒|抑郁|关节炎|皱纹|鼻炎|白发)|(?:癌|糖尿病|高血压"
        "|失眠)[^，。！？]{0,6}(?:克星|康复|消失|好了)|"
        "[\\d一二三四五六七八九十两]{1,4}(?:天|日|周|个?月)[^，。！？]{0,4}(?:瘦|减|变白|美白|见效|长高|增高"
        "|生发)[^，。！？]{0,3}|(?:狂|暴|快速|轻松|躺着)[瘦减]\\d{0,3}斤?|燃烧脂肪|降[三血]?(?:高血|血压|血糖|血脂)"
        "|丰胸|壮阳|延年益寿|增强免疫力|提高免疫力|排毒养颜|一[抹贴喷用吃喝](?:就|即)?(?:见效|灵|白|好|瘦)"
    ),
    "不得承诺收益(广告法第二十五条)": (
        "稳赚|保本|保收益|零风险|无风险|高(?:额)?(?:回报|收益)|躺赚|(?<!\\d)日入(?!住|库|账|口|睡|眠|园|场|秋|冬|夏"
        "|春|选|门)|日赚|月入[\\d一二三四五六七八九十过上数]|月赚|年入百?万|年化(?:收益|回报)|收益率?(?:高达|可达"
        "|超过)|翻[一二两三四五六七八九十\\d]{0,3}倍|一夜暴富|暴富|暴利|财务自由|内幕消息|包赚|必赚|必涨|轻松(?:赚"
        "|月入)|坐等(?:收钱|升值)|升值空间无限|不赔"
    ),
}  # fmt: skip
SOURCE = re.compile(
    r"\bsource ?:|\baccording to (?!our|us\b|experts|many)|\bbased on\b|\bsurvey of\b|\bstudy (?:by|of|in)\b"
    r"|\b(?:nielsen|kantar|"
    r"euromonitor|gfk|ipsos|statista)\b|(?:数据)?来源[:：]|据[^，。]{2,14}(?:统计|数据|报告|调查|调研)",
    re.IGNORECASE,
)


def claims(plain: str, proven: Iterable[str] = ()) -> list[Hit]:
    """Find claims that need a source and have none, and promises that no source mends.

    Parameters
    ----------
    plain : a text in one spelling
    proven : claims, in the words of the text, that the house can prove

    >>> [h.where for h in claims("The best shoes in the world, my first time, 第一次就选最好的朋友, 全国销量第一")]
    ['best shoes in the world', '全国销量第一']
    >>> claims("The world's best shoes (source: Kantar 2024)")
    []
    """
    for claim in proven:
        plain = re.sub(re.escape(claim), " · ", plain, flags=re.IGNORECASE)
    english = fold(plain)
    chinese = BETWEEN_HAN.sub("", english) if ONE_HAN.search(plain) else ""
    sourced = bool(SOURCE.search(english))
    found = [Hit(SUPERLATIVE, match[0]) for match in BEST_IN_TOWN.finditer(plain) if not sourced]
    for pattern, why, mends in CLAIMS:
        text = chinese if why[0] > "一" else english
        shown = plain if len(plain) == len(text) else text
        if not (mends and sourced):
            found += [Hit(why, shown[slice(*m.span())].strip()) for m in pattern.finditer(text) if m[0][0] != "我"]
    return list(dict.fromkeys(found))


SUPERLATIVE = next(iter(ENGLISH_CLAIMS))
BEST_IN_TOWN = re.compile(  # before capitals are lost
    r"\b(?:[Bb]est|[Cc]heapest|[Ff]astest|[Ff]inest|[Tt]astiest|[Gg]reatest) (?:\w+ ){1,3}in (?:the )?"
    r"(?!January|February|March|April|May|June|July|August|September|October|November|December|Spring|Summer|Autumn"
    r"|Fall|Winter)[A-Z][a-z]+"
)
CLAIMS = [
    (re.compile(pattern), why, mends)
    for group, mends in (
        (ENGLISH_CLAIMS, True),
        (ENGLISH_PROMISES, False),
        (CHINESE_CLAIMS, True),
        (CHINESE_PROMISES, False),
    )
    for why, pattern in group.items()
]
