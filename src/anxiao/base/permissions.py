"""The one list of permissions, and which role carries which."""

from __future__ import annotations

from enum import StrEnum


class Permission(StrEnum):
    """What somebody may do on a node of the tree and on everything beneath it."""

    BOARD_VIEW = "board.view"  # counts of a node, no persons
    PEOPLE_VIEW = "people.view"  # names, numbers, classes
    HEALTH_VIEW = "health.view"  # who is unwell, and their answers
    PHONE_REVEAL = "phone.reveal"  # the unmasked number; each use is written to the ledger
    REPORT_PROXY = "report.proxy"  # fill in for somebody (代填)
    REPORT_CORRECT = "report.correct"  # correct somebody's report with a reason (更正)
    REMIND = "reminder.send"
    EXEMPT = "exemption.manage"  # 免报
    SHEET_VIEW = "sheet.view"
    SHEET_SIGN = "sheet.sign"  # freeze and submit the day sheet (日报表)
    SHEET_RETURN = "sheet.return"  # the province sends a sheet back
    DIRECTORY_IMPORT = "directory.import"
    ROSTER_MANAGE = "roster.manage"  # transfer, leave, return, graduation; on a whole school also mergers and names
    PROFILE_CONFIRM = "profile.confirm"  # what people ask to have corrected about themselves
    CATEGORY_MANAGE = "category.manage"
    ACTIVATION_PRINT = "activation.print"
    GRANT_MANAGE = "grant.manage"
    ONBOARDING_APPROVE = "onboarding.approve"
    CAMPAIGN_VIEW = "campaign.view"
    CAMPAIGN_MANAGE = "campaign.manage"
    LEDGER_VIEW = "ledger.view"
    OPERATE = "system.operate"  # health of the machine, never of people


class Role(StrEnum):
    """Roles of the notice.  Student and staff member are not roles: everybody in the directory may report."""

    OPERATOR = "operator"  # 平台运维
    PROVINCE_OFFICER = "province_officer"  # 省防控办
    SCHOOL_ADMIN = "school_admin"  # 平台管理员
    EPIDEMIC_OFFICER = "epidemic_officer"  # 疫情处理人 / 联络员
    COLLEGE_OFFICER = "college_officer"  # 院系负责人
    COUNSELLOR = "counsellor"  # 辅导员
    CLASS_HEAD = "class_head"  # 班主任
    DORM_MANAGER = "dorm_manager"  # 宿管员
    SCHOOL_DOCTOR = "school_doctor"  # 校医
    SECURITY = "security"  # 保卫处
    LOGISTICS = "logistics"  # 后勤


P = Permission

_WATCH = frozenset({P.BOARD_VIEW, P.PEOPLE_VIEW})
_CARE = _WATCH | {P.HEALTH_VIEW, P.PHONE_REVEAL, P.REPORT_PROXY, P.REPORT_CORRECT, P.REMIND}

ROLE_PERMISSIONS: dict[Role, frozenset[Permission]] = {
    Role.OPERATOR: frozenset({P.OPERATE}),
    Role.PROVINCE_OFFICER: frozenset(
        {P.BOARD_VIEW, P.SHEET_VIEW, P.SHEET_RETURN, P.ONBOARDING_APPROVE, P.CAMPAIGN_VIEW, P.CAMPAIGN_MANAGE}
        | {P.LEDGER_VIEW, P.PEOPLE_VIEW, P.HEALTH_VIEW}
    ),
    Role.SCHOOL_ADMIN: _CARE
    | {P.EXEMPT, P.SHEET_VIEW, P.DIRECTORY_IMPORT, P.CATEGORY_MANAGE, P.ACTIVATION_PRINT, P.GRANT_MANAGE}
    | {P.CAMPAIGN_VIEW, P.LEDGER_VIEW, P.ROSTER_MANAGE, P.PROFILE_CONFIRM},
    Role.EPIDEMIC_OFFICER: _CARE | {P.EXEMPT, P.SHEET_VIEW, P.SHEET_SIGN, P.CAMPAIGN_VIEW, P.LEDGER_VIEW},
    Role.COLLEGE_OFFICER: _CARE | {P.EXEMPT, P.ACTIVATION_PRINT, P.CAMPAIGN_VIEW, P.ROSTER_MANAGE, P.PROFILE_CONFIRM},
    Role.COUNSELLOR: _CARE | {P.EXEMPT, P.ACTIVATION_PRINT, P.CAMPAIGN_VIEW, P.PROFILE_CONFIRM},
    Role.CLASS_HEAD: _WATCH | {P.REMIND, P.REPORT_PROXY},
    Role.DORM_MANAGER: _WATCH | {P.REMIND, P.REPORT_PROXY},
    Role.SCHOOL_DOCTOR: _WATCH | {P.HEALTH_VIEW, P.PHONE_REVEAL, P.REPORT_CORRECT},
    Role.SECURITY: frozenset({P.BOARD_VIEW}),
    Role.LOGISTICS: frozenset({P.BOARD_VIEW}),
}
