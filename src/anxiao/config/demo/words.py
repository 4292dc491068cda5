"""Where invented people get their names and numbers from.  Nobody here is real."""

from __future__ import annotations

from random import Random

SURNAMES = (
    "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林高罗郑梁谢宋唐许韩冯邓曹彭曾肖田董潘袁蔡"
    "蒋余于杜叶程魏苏吕丁任卢姚沈钟姜崔谭陆范汪廖石金韦贾夏付方邹熊白孟秦邱侯江尹薛"
)
_GIVEN = {
    "M": "伟强磊军勇杰涛超明刚辉鹏浩宇轩航晨阳俊凯博文翔昊天龙志远建国成峰斌健鑫瑞泽源铭睿承嘉骏恒毅",
    "F": "芳娜敏静丽艳娟霞秀玲燕红梅雪婷慧莹颖佳琪欣怡悦萱涵雨桐梦洁诗语思琳瑶蕾倩璐薇馨菲岚月晴舒",
}
_FOREIGN_GIVEN = {
    "M": ("Adeel", "Bilal", "Daniyar", "Emeka", "Farid", "Hamza", "Ivan", "Kofi", "Minh", "Nuno", "Omar", "Rahul"),
    "F": ("Aigerim", "Amina", "Chiara", "Elif", "Fatima", "Grace", "Hana", "Leila", "Nadia", "Olga", "Priya", "Thuy"),
}
_FOREIGN_SURNAMES = (
    "Ahmed",
    "Bekova",
    "Costa",
    "Diallo",
    "Hussain",
    "Ivanova",
    "Kim",
    "Mensah",
    "Nguyen",
    "Okoro",
    "Rahman",
    "Silva",
)
_FOREIGN_PHONES = (("+92-300", 7), ("+7-7012", 6), ("+84-9123", 5), ("+234-8030", 6), ("+880-1712", 6))
_GREATER_CHINA = (("+852-9", 7), ("+853-66", 6), ("+886-912", 6))


def stream(seed: int, purpose: str) -> Random:
    """A source of chance of its own for each purpose, so that a change in one place leaves the others as they were."""
    return Random(f"anxiao/{seed}/{purpose}")  # noqa: S311 - a demo must be the same every time; nothing is secret


def name(chance: Random, sex: str) -> str:
    """A common surname and one or two common characters."""
    given = _GIVEN[sex]
    first = chance.choice(given)
    return chance.choice(SURNAMES) + (first if chance.random() < 0.22 else first + chance.choice(given))


def foreign_name(chance: Random, sex: str) -> str:
    return f"{chance.choice(_FOREIGN_GIVEN[sex])} {chance.choice(_FOREIGN_SURNAMES)}"


def phone(number: int) -> str:
    """A mainland mobile number that everybody sees through: 1990 and a running number."""
    return f"1990{number % 10_000_000:07d}"


def foreign_phone(chance: Random) -> str:
    return _tail(chance, *chance.choice(_FOREIGN_PHONES))


def greater_china_phone(chance: Random) -> str:
    return _tail(chance, *chance.choice(_GREATER_CHINA))


def _tail(chance: Random, head: str, digits: int) -> str:
    return head + "".join(chance.choice("0123456789") for _ in range(digits))
