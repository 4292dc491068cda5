"""The cast: a few people known by name, with outsiders among them.

安徽省教育厅
  安徽大学
    电子信息工程学院   18级 通信1班 (王五, 赵六, 钱七) · 18级 通信2班 (孙八)   counsellor 张三
    文学院             19级 汉语1班 (李九)                                  counsellor 周十
  合肥工业大学         the outsiders
    机械工程学院       18级 机械1班 (吴一)                                  counsellor 郑二
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from anxiao.base.permissions import Role
from anxiao.base.scope import Scope
from anxiao.base.tenancy import school_context
from anxiao.directory.commands import add_organisation, open_school
from anxiao.directory.models import Organisation, Person, School
from anxiao.directory.names import Audience, OrganisationKind
from anxiao.reporting.commands.partitions import ensure_partitions
from anxiao.reporting.models import Campaign
from tests.builders import (
    HOUSE,
    MORNING,
    TODAY,
    add_person,
    add_school,
    counted,
    give_counsellor,
    scope_for,
    start_campaign,
)


@dataclass
class Cast:
    province: Organisation
    campaign: Campaign
    anda: School
    gongda: School
    anda_node: Organisation
    gongda_node: Organisation
    electronics: Organisation
    literature: Organisation
    mechanics: Organisation
    tongxin1: Organisation
    tongxin2: Organisation
    hanyu1: Organisation
    jixie1: Organisation
    wangwu: Person
    zhaoliu: Person
    qianqi: Person
    sunba: Person
    lijiu: Person
    wuyi: Person
    zhangsan: Person
    zhoushi: Person
    zhenger: Person

    @property
    def province_officer(self) -> Scope:
        return scope_for(Role.PROVINCE_OFFICER, self.province)

    @property
    def admin(self) -> Scope:
        return scope_for(Role.SCHOOL_ADMIN, self.anda_node)

    @property
    def officer(self) -> Scope:
        return scope_for(Role.EPIDEMIC_OFFICER, self.anda_node)

    @property
    def college_officer(self) -> Scope:
        return scope_for(Role.COLLEGE_OFFICER, self.electronics)

    @property
    def counsellor(self) -> Scope:
        return scope_for(Role.COUNSELLOR, self.tongxin1, person=self.zhangsan)

    @property
    def other_counsellor(self) -> Scope:
        return scope_for(Role.COUNSELLOR, self.hanyu1, person=self.zhoushi)

    @property
    def outsider(self) -> Scope:
        """The epidemic officer of the other school."""
        return scope_for(Role.EPIDEMIC_OFFICER, self.gongda_node)

    @contextmanager
    def seen_by(self, scope: Scope) -> Iterator[Scope]:
        """Inside, the database shows what ``scope`` may see, as in a request."""
        with school_context(scope.db_scope):
            yield scope


def assemble() -> Cast:
    """Put the cast on the stage of an empty, migrated database."""
    ensure_partitions(day=TODAY)
    anda = add_school("4134010357", "安徽大学")
    gongda = add_school("4134010359", "合肥工业大学")
    with school_context("*"):
        province = add_organisation(
            by=HOUSE, now=MORNING, kind=OrganisationKind.PROVINCE, name="安徽省教育厅", parent=None
        )
        campaign = start_campaign(province)

        def under(parent: Organisation, kind: OrganisationKind, name: str, grade: str = "") -> Organisation:
            return add_organisation(
                by=HOUSE, now=MORNING, kind=kind, name=name, parent=parent, school_id=parent.school_id, grade=grade
            )

        anda_node = open_school(by=HOUSE, now=MORNING, school=anda, province=province)
        gongda_node = open_school(by=HOUSE, now=MORNING, school=gongda, province=province)
        electronics = under(anda_node, OrganisationKind.COLLEGE, "电子信息工程学院")
        literature = under(anda_node, OrganisationKind.COLLEGE, "文学院")
        mechanics = under(gongda_node, OrganisationKind.COLLEGE, "机械工程学院")
        tongxin1 = under(electronics, OrganisationKind.CLASS, "通信1班", "18级")
        tongxin2 = under(electronics, OrganisationKind.CLASS, "通信2班", "18级")
        hanyu1 = under(literature, OrganisationKind.CLASS, "汉语1班", "19级")
        jixie1 = under(mechanics, OrganisationKind.CLASS, "机械1班", "18级")
        zhangsan = add_person(electronics, "张三", number="00001", audience=Audience.STAFF)
        zhoushi = add_person(literature, "周十", number="00002", audience=Audience.STAFF)
        zhenger = add_person(mechanics, "郑二", number="00001", audience=Audience.STAFF)
        cast = Cast(
            province=province,
            campaign=campaign,
            anda=anda,
            gongda=gongda,
            anda_node=anda_node,
            gongda_node=gongda_node,
            electronics=electronics,
            literature=literature,
            mechanics=mechanics,
            tongxin1=tongxin1,
            tongxin2=tongxin2,
            hanyu1=hanyu1,
            jixie1=jixie1,
            wangwu=add_person(tongxin1, "王五", number="P20180001"),
            zhaoliu=add_person(tongxin1, "赵六", number="P20180002"),
            qianqi=add_person(tongxin1, "钱七", number="P20180003"),
            sunba=add_person(tongxin2, "孙八", number="P20180004"),
            lijiu=add_person(hanyu1, "李九", number="P20190001"),
            wuyi=add_person(jixie1, "吴一", number="P20180001"),
            zhangsan=zhangsan,
            zhoushi=zhoushi,
            zhenger=zhenger,
        )
        give_counsellor(tongxin1, zhangsan)
        give_counsellor(tongxin2, zhangsan)
        give_counsellor(hanyu1, zhoushi)
        give_counsellor(jixie1, zhenger)
        counted(anda.pk)
        counted(gongda.pk)
    return cast
