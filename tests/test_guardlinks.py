"""Only links, people and contacts that are allowed pass; tricks are named."""

from __future__ import annotations

import pytest

from smlab.guardlinks import links, mentions, personal

HOSTS = {"example.com"}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("http://evil.com", "none of those"), ("www.evil.com", "none of those"), ("evil.co.uk/deal", "none of those"),
        ("evil。com", "none of those"), ("HTTPS://EVIL.COM", "none of those"), ("//evil.com/x", "none of those"),
        ("https://xn--80ak6aa92e.com", "letters"), ("https://ехample.com", "letters"),
        ("https://example.com.evil.io/a", "looks like example.com"), ("https://examp1e.com", "looks like example.com"),
        ("https://exmaple.com", "looks like example.com"), ("example-login.com", "looks like example.com"),
        ("https://example.com@evil.com", "hides"), ("https://example.com\\@evil.com", "hides"),
        ("http://127.0.0.1", "number"), ("http://2130706433/", "number"), ("http://0x7f000001/", "number"),
        ("https://[::1]/", "number"), ("https://bit.ly/x", "shortened"), ("t.cn/A6xyz", "shortened"),
        ("javascript:alert(1)", "code"), ("JAVA SCRIPT :x", "code"), ("data:text/html;base64,x", "code"),
        ("ftp://example.com/a", "https, not by ftp"), ("evil[.]com", "disguise"), ("evil dot com", "disguise"),
        ("https://example.com/r?u=https://evil.com", "leads on"), ("https://example.com/r?u=https%3A%2F%2Fevil.com",
        "leads on"),
    ],
)  # fmt: skip
def test_tricks_are_named(text, why):
    found = [hit.what for hit in links(f"Now: {text} ok", HOSTS)]
    assert found and why in found[0]


@pytest.mark.parametrize(
    "text",
    ["https://example.com", "see example.com.", "(https://shop.example.com/a?b=c)", "www.example.com/é", "EXAMPLE.COM",
     "https://example.com/r?u=https://shop.example.com", "no link at all", "Node.js and e.g. this", "the top.Shop now",
     "3.5",
     "at 9 a.m. or p.m.", "either/or", "24//7", "1.000.000", "it's so.Me too", "the dot com bubble", "data: 3 people",
     "v2.0.1"],
)  # fmt: skip
def test_what_is_allowed_or_no_link_passes(text):
    assert list(links(text, HOSTS)) == []


def test_without_hosts_no_link_passes():
    assert [hit.what for hit in links("example.com", set())] == ["no host is allowed here"]


def test_only_allowed_people_are_named():
    text = "Hi @Bob, @brand. 2 @ $5 @5pm ann@example.com https://example.com/@x @李佳琦 同款"
    assert [hit.where for hit in mentions(text, {"brand"})] == ["@Bob", "@李佳琦"]


@pytest.mark.parametrize(
    "text",
    ["+44 20 7946 0958", "bob@gmail.com", "bob [at] gmail [dot] com", "ann at example dot com", "11010519491231002X",
     "4111 1111 1111 1111", "one three eight one two three four five six", "加微信 abc12345", "V信:hello88",
     "passport no. E12345678",
     "born on 1987-03-14", "家住海淀区中关村大街27号", "京A12345", "一三八零零一三八零零零"],
)  # fmt: skip
def test_personal_data_is_found(text):
    assert list(personal(text, set()))


@pytest.mark.parametrize(
    "text",
    ["shop at example.com", "24/7 since 2012", "12.06.2026, 20:00", "$1,299.00", "满200减30", "微信公众号", "如家住完",
     "我们的故事",
     "https://t.co/vxWZ2tyJTF", "one, two, three, go", "Follow us on WeChat"],
)  # fmt: skip
def test_what_is_nobodys_passes(text):
    assert list(personal(text, set())) == []


def test_own_contacts_pass():
    assert list(personal("Help@Example.com, 400-820-8820", {"help@example.com", "4008208820"})) == []
