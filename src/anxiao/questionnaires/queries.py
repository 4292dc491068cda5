"""Reading questionnaires. They have no school and hold no answers, so everybody signed in may read them."""

from __future__ import annotations

from functools import lru_cache

from django.db import DEFAULT_DB_ALIAS

from anxiao.base.scope import Scope
from anxiao.questionnaires.compiled import Compiled, compile
from anxiao.questionnaires.models import QuestionnaireVersion


def current_version(scope: Scope, code: str, *, using: str = DEFAULT_DB_ALIAS) -> QuestionnaireVersion | None:
    """The version with the highest number of a questionnaire, or None when nothing is published."""
    return (
        QuestionnaireVersion.objects.using(using)
        .filter(questionnaire__code=code)
        .select_related("questionnaire")
        .order_by("-number")
        .first()
    )


def versions(scope: Scope, code: str) -> list[QuestionnaireVersion]:
    """All published versions of a questionnaire, newest first."""
    return list(
        QuestionnaireVersion.objects.filter(questionnaire__code=code)
        .select_related("questionnaire")
        .order_by("-number", "id")
    )


@lru_cache(maxsize=64)
def compiled_version(version_id: int, etag: str) -> Compiled:
    """The compiled form of a version.

    A published version never changes, so a process compiles it once. The digest is part of the key because a test
    database, or a restored one, may give the same id to something else.
    """
    definition = QuestionnaireVersion.objects.values_list("definition", flat=True).get(pk=version_id)
    return compile(definition)


def compiled(version: QuestionnaireVersion) -> Compiled:
    """The compiled form of a version at hand."""
    return compiled_version(version.pk, version.etag)
