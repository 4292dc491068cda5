"""Regions by GB/T 2260: six digits, known province, readable name. Pure.

The country has about three thousand counties and they change every year, so a county code is
accepted when its province exists; what people choose from is the short list they need here:
the cities of Anhui, the other provinces, and abroad.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType
from typing import Final

#: GB/T 2260 has no code for foreign countries; 99 is free there and reserved here.
ABROAD: Final = "990000"

_HOME: Final = "34"

#: Two digits → (Chinese, English).
PROVINCES: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "11": ("北京市", "Beijing"),
        "12": ("天津市", "Tianjin"),
        "13": ("河北省", "Hebei"),
        "14": ("山西省", "Shanxi"),
        "15": ("内蒙古自治区", "Inner Mongolia"),
        "21": ("辽宁省", "Liaoning"),
        "22": ("吉林省", "Jilin"),
        "23": ("黑龙江省", "Heilongjiang"),
        "31": ("上海市", "Shanghai"),
        "32": ("江苏省", "Jiangsu"),
        "33": ("浙江省", "Zhejiang"),
        "34": ("安徽省", "Anhui"),
        "35": ("福建省", "Fujian"),
        "36": ("江西省", "Jiangxi"),
        "37": ("山东省", "Shandong"),
        "41": ("河南省", "Henan"),
        "42": ("湖北省", "Hubei"),
        "43": ("湖南省", "Hunan"),
        "44": ("广东省", "Guangdong"),
        "45": ("广西壮族自治区", "Guangxi"),
        "46": ("海南省", "Hainan"),
        "50": ("重庆市", "Chongqing"),
        "51": ("四川省", "Sichuan"),
        "52": ("贵州省", "Guizhou"),
        "53": ("云南省", "Yunnan"),
        "54": ("西藏自治区", "Tibet"),
        "61": ("陕西省", "Shaanxi"),
        "62": ("甘肃省", "Gansu"),
        "63": ("青海省", "Qinghai"),
        "64": ("宁夏回族自治区", "Ningxia"),
        "65": ("新疆维吾尔自治区", "Xinjiang"),
        "71": ("台湾省", "Taiwan"),
        "81": ("香港特别行政区", "Hong Kong"),
        "82": ("澳门特别行政区", "Macao"),
    }
)


@dataclass(frozen=True, slots=True)
class City:
    """A prefecture-level city of Anhui and how long its code was in force."""

    code: str
    zh: str
    en: str
    until: date | None = None


CITIES: Final[Mapping[str, City]] = MappingProxyType(
    {
        city.code[:4]: city
        for city in (
            City("340100", "合肥市", "Hefei"),
            City("340200", "芜湖市", "Wuhu"),
            City("340300", "蚌埠市", "Bengbu"),
            City("340400", "淮南市", "Huainan"),
            City("340500", "马鞍山市", "Ma'anshan"),
            City("340600", "淮北市", "Huaibei"),
            City("340700", "铜陵市", "Tongling"),
            City("340800", "安庆市", "Anqing"),
            City("341000", "黄山市", "Huangshan"),
            City("341100", "滁州市", "Chuzhou"),
            City("341200", "阜阳市", "Fuyang"),
            City("341300", "宿州市", "Suzhou (Anhui)"),
            # Dissolved by the State Council on 2011-07-14; old documents still carry the code.
            City("341400", "巢湖市", "Chaohu", until=date(2011, 7, 14)),
            City("341500", "六安市", "Lu'an"),
            City("341600", "亳州市", "Bozhou"),
            City("341700", "池州市", "Chizhou"),
            City("341800", "宣城市", "Xuancheng"),
        )
    }
)


def is_region(code: str) -> bool:
    """Whether this can be a region: old codes included, invented provinces not."""
    if code == ABROAD:
        return True
    return len(code) == 6 and code.isascii() and code.isdigit() and code[:2] in PROVINCES


def region_name(code: str, language: str) -> str:
    """Readable name, as fine as the table knows: city in Anhui, else province."""
    which = 0 if language.startswith("zh") else 1
    if code == ABROAD:
        return ("境外", "Abroad")[which]
    city = CITIES.get(code[:4])
    if city is not None:
        return f"安徽省{city.zh}" if which == 0 else f"{city.en}, Anhui"
    names = PROVINCES.get(code[:2])
    return names[which] if names else code


def choices(language: str) -> list[tuple[str, str, str]]:
    """What a person chooses from today: (code, name, heading), home cities first."""
    which = 0 if language.startswith("zh") else 1
    home = PROVINCES[_HOME][which]
    others = ("其他地区", "Elsewhere")[which]
    cities = [(city.code, (city.zh, city.en)[which], home) for city in CITIES.values() if city.until is None]
    provinces = [(f"{prefix}0000", names[which], others) for prefix, names in PROVINCES.items() if prefix != _HOME]
    return [*cities, *provinces, (ABROAD, region_name(ABROAD, language), others)]
