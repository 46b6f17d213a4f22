"""Chinese words: jieba's own, the user's whole, without a trace on the disk or the screen."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smlab.hanzi import Segmenter, language

COMMON = "的一是不了在人有我他这个们中来上大为和国地到以说时要就出会可也你对生能而子那得于着下好评价商品质量很差快递"
SENTENCES = [
    "我来到北京清华大学",
    "他来到了网易杭研大厦",
    "小明硕士毕业于中国科学院计算所后在日本京都大学深造",
    "这家酒店的房间又小又旧而且隔音很差下次不会再来了",
    "快递三天才到包装破了客服态度倒是不错",
    "买了两箱苹果有几个坏的但是味道很甜",
    "手机屏幕很清楚就是电池不太耐用",
    "李小福是创新办主任也是云计算方面的专家",
    "工信处女干事每月经过下属科室都要亲口交代24口交换机等技术性器件的安装工作",
    "这本书写得太好了看得我热泪盈眶",
]


@pytest.fixture(scope="module")
def jieba_itself():
    """Jieba as it is documented, kept from the temporary folder."""
    from smlab import hanzi

    jieba = hanzi._jieba()
    tokenizer = jieba.Tokenizer()
    with (Path(jieba.__file__).parent / "dict.txt").open("rb") as file:
        tokenizer.FREQ, tokenizer.total = tokenizer.gen_pfdict(file)
    tokenizer.initialized = True
    return tokenizer


@pytest.mark.parametrize("sentence", SENTENCES)
def test_words_are_those_of_jieba(jieba_itself, sentence):
    assert Segmenter()(sentence) == jieba_itself.lcut(sentence)


@settings(deadline=None)
@given(st.text(st.sampled_from(COMMON), min_size=1, max_size=30))
def test_words_of_any_run_are_those_of_jieba(jieba_itself, run):
    assert Segmenter()(run) == jieba_itself.lcut(run)


BRANDS = ["星河优选", "蓝鲸茶事", "a2小铂金", "三只松鼠坚果铺子", "㗎㩒堂"]


@pytest.mark.parametrize("brand", BRANDS)
@pytest.mark.parametrize("context", ["{}", "我在{}买的东西很好", "{}的客服太差了", "再也不买{}了", "听说{}和{}打折"])
def test_brand_stays_one_word(brand, context):
    words = Segmenter(BRANDS)(context.format(brand, brand))
    assert words.count(brand) == context.count("{}")


@settings(deadline=None)
@given(st.text(st.sampled_from(COMMON + "aB7星河优选㗎"), min_size=1, max_size=40))
def test_words_put_together_are_the_run(run):
    assert "".join(Segmenter(BRANDS)(run)) == run


def test_case_of_a_brand_does_not_matter_and_the_posts_own_is_kept():
    assert Segmenter(["A2小铂金"])("宝宝喝a2小铂金") == ["宝宝", "喝", "a2小铂金"]
    assert Segmenter(["a2小铂金"])("宝宝喝A2小铂金") == ["宝宝", "喝", "A2小铂金"]
    assert Segmenter()("T恤和t恤") == ["T恤", "和", "t恤"]


def test_words_of_one_user_are_none_of_another():
    whole, apart = Segmenter(["星河优选"]), Segmenter()
    assert whole("星河优选很好")[0] == "星河优选" and apart("星河优选很好")[0] == "星河"


def test_run_beyond_what_is_looked_through_at_once_is_cut_whole():
    run = "服务很好" * 300
    assert "".join(Segmenter()(run)) == run
    assert Segmenter()(run)[:4] == ["服务", "很", "好", "服务"]


def test_nothing_is_printed_warned_or_left_behind(tmp_path):
    """The strictest Python: warnings are errors, and the temporary folder is looked into."""
    code = "from smlab.hanzi import Segmenter; print(len(Segmenter()('服务很好')))"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True, text=True, env={"TMPDIR": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"},
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "3\n", "")
    assert list(tmp_path.iterdir()) == []


def test_jieba_is_read_when_the_first_chinese_post_comes_and_not_before():
    code = "import sys; from smlab.text import Tokenizer; Tokenizer(user_words=['星河'])('hi 😀'); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"jieba", "numpy", "rich"} & set(done.stdout.split())


@pytest.mark.parametrize(
    ("text", "tongue"),
    [
        ("服务很好", "zh"),
        ("买了iPhone 15 Pro Max，很满意", "zh"),
        ("好 http://t.cn/A6xYz @some_user_name", "zh"),
        ("I love 小米 so much", "en"),
        ("@人民日报 thank you", "en"),
        ("привет мир", "en"),
        ("12345 !!", "en"),
        ("😀", "en"),
        ("", "en"),
    ],
)
def test_language(text, tongue):
    assert language(text) == tongue
