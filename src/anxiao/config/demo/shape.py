"""What the three universities with people look like before chance and size come in: colleges, subjects, campuses.

The names of the universities are real (the register is public); their colleges here are ordinary ones and everybody in
them is invented.
"""

from __future__ import annotations

from dataclasses import dataclass

PROVINCE = "安徽省教育厅"

COLLEGES: dict[str, tuple[str, ...]] = {
    "电子信息工程学院": ("通信", "电子", "自动化", "微电子"),
    "计算机科学与技术学院": ("计科", "软件", "网络", "智能"),
    "文学院": ("汉语", "新闻", "秘书", "古籍"),
    "经济学院": ("经济", "金融", "国贸", "保险"),
    "外语学院": ("英语", "日语", "俄语", "德语"),
    "法学院": ("法学", "社工", "知产", "政治"),
    "数学科学学院": ("数学", "统计", "信计", "数据"),
    "物理与材料学院": ("物理", "材料", "光电", "新能源"),
    "化学化工学院": ("化学", "化工", "高分子", "应化"),
    "生命科学学院": ("生科", "生技", "生态", "食品"),
    "商学院": ("工商", "会计", "营销", "物流"),
    "管理学院": ("行管", "档案", "图情", "旅游"),
    "历史学院": ("历史", "考古", "文博", "世界史"),
    "艺术学院": ("美术", "音乐", "设计", "表演"),
    "资源与环境工程学院": ("环境", "地信", "资勘", "环科"),
    "马克思主义学院": ("思政", "哲学", "党史", "马理"),
}
TECHNICAL: dict[str, tuple[str, ...]] = {
    "机械工程学院": ("机械", "车辆", "工设", "机器人"),
    "土木与水利工程学院": ("土木", "水利", "给排水", "力学"),
    "电气与自动化工程学院": ("电气", "测控", "智电", "自动化"),
    "材料科学与工程学院": ("材料", "金属", "成型", "焊接"),
    "化学与化工学院": ("化工", "制药", "高分子", "应化"),
    "计算机与信息学院": ("计科", "物联网", "信安", "通信"),
    "管理学院": ("信管", "会计", "电商", "物流"),
    "食品与生物工程学院": ("食品", "生工", "生技", "营养"),
    "建筑与艺术学院": ("建筑", "规划", "风景", "视传"),
    "仪器科学与光电工程学院": ("仪器", "光信", "测控", "质量"),
}
VOCATIONAL: dict[str, tuple[str, ...]] = {
    "会计学院": ("会计", "审计", "税务", "财管"),
    "电子商务学院": ("电商", "物流", "营销", "网营"),
    "信息与人工智能学院": ("软件", "网络", "大数据", "动漫"),
    "国际商务与旅游学院": ("商英", "酒店", "旅游", "国贸"),
}
DEPARTMENTS = (
    "党政办公室",
    "信息化办公室",
    "校医院",
    "保卫处",
    "后勤与公寓管理处",
    "学生工作处",
    "教务处",
    "图书馆",
)
"""The first five hold the people behind the demo accounts, so that also the smallest school has them."""


@dataclass(frozen=True, slots=True)
class Shape:
    """One university.  ``prefix`` is that of its demo accounts; empty: it has none."""

    code: str
    prefix: str
    share: float
    colleges: dict[str, tuple[str, ...]]
    campuses: tuple[str, ...]
    grades: int = 4
    vocational: bool = False


SCHOOLS = (
    Shape("4134010357", "demo", 0.55, COLLEGES, ("磬苑校区", "龙河校区")),
    Shape("4134010359", "demo2", 0.30, TECHNICAL, ("屯溪路校区", "翡翠湖校区")),
    Shape("4134012072", "", 0.15, VOCATIONAL, ("文昌西路校区",), grades=3, vocational=True),
)
CLUSTER_AT = "demo"
"""Prefix of the university with the fever on one floor."""

APPLICANTS = ("4134010370", "4134010371")
"""Universities whose application waits for the province."""
