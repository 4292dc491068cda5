"""Publishing versions. A published version is never changed: rounds and reports point to it for ever."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import DEFAULT_DB_ALIAS, IntegrityError, transaction
from django.utils.translation import gettext_lazy as _

from anxiao.base import events
from anxiao.base.errors import NotYours, Refused
from anxiao.base.scope import SHARED_SCHOOL, Scope, system_scope
from anxiao.base.tenancy import school_context
from anxiao.ledger.commands import record
from anxiao.questionnaires import access
from anxiao.questionnaires.compiled import DefinitionError, compile
from anxiao.questionnaires.models import Questionnaire, QuestionnaireVersion
from anxiao.questionnaires.names import PROVINCIAL_DAILY, VERSION_PUBLISHED
from anxiao.questionnaires.provincial import provincial_daily_definition


def publish_version(
    *,
    by: Scope,
    questionnaire_code: str,
    definition: Mapping[str, Any],
    now: datetime,
    using: str = DEFAULT_DB_ALIAS,
) -> QuestionnaireVersion:
    """Publish a definition as the next version of a questionnaire, which is made if it does not exist.

    Publishing the newest definition again changes nothing and returns the version there is.
    """
    if not access.may_publish(by):
        raise NotYours
    try:
        form = compile(definition)
    except DefinitionError as error:
        raise Refused(
            _("The questionnaire cannot be published. %(where)s: %(what)s")
            % {"where": error.path, "what": error.problem},
            code="definition",
        ) from error
    with transaction.atomic(using=using):
        questionnaire, _made = Questionnaire.objects.using(using).get_or_create(
            code=questionnaire_code, defaults={"title": form.title["zh"], "title_en": form.title["en"]}
        )
        latest = (
            QuestionnaireVersion.objects.using(using).filter(questionnaire=questionnaire).order_by("-number").first()
        )
        if latest is not None and latest.etag == form.digest:
            return latest
        try:
            with transaction.atomic(using=using):
                version = QuestionnaireVersion.objects.using(using).create(
                    questionnaire=questionnaire,
                    number=1 if latest is None else latest.number + 1,
                    definition=definition,
                    etag=form.digest,
                    published_at=now,
                )
        except IntegrityError:
            # Two people published at once; the constraint let one through, and the other should see what it was.
            raise Refused(_("Somebody published a new version at the same moment. Please look at it first.")) from None
        record(
            by=by,
            now=now,
            verb="publish",
            object_type="questionnaire_version",
            object_id=version.pk,
            school_id=SHARED_SCHOOL,
            facts={"questionnaire": questionnaire.code, "number": version.number, "digest": form.digest},
            using=using,
        )
        events.publish(VERSION_PUBLISHED, questionnaire_id=questionnaire.pk, number=version.number)
        return version


def ensure_provincial_daily(*, now: datetime, using: str = "bulk") -> QuestionnaireVersion:
    """Publish the questionnaire of the notice where it is missing. Safe to run at every start.

    Opens its own transaction; as the bulk role, because a fresh installation has no account that could do it.
    """
    with school_context("*", using=using):
        return publish_version(
            by=system_scope("install"),
            questionnaire_code=PROVINCIAL_DAILY,
            definition=provincial_daily_definition(),
            now=now,
            using=using,
        )
