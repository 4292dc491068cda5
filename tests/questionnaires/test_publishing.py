"""Published versions stay, and each leaves its line in the ledger."""

from datetime import UTC, datetime
from typing import Any

import pytest

from anxiao.base.errors import NotYours, Refused
from anxiao.base.scope import NOBODY, system_scope
from anxiao.base.tenancy import school_context
from anxiao.ledger.models import Entry
from anxiao.questionnaires import commands, queries
from anxiao.questionnaires.models import QuestionnaireVersion
from anxiao.questionnaires.names import PROVINCIAL_DAILY
from anxiao.questionnaires.provincial import provincial_daily, provincial_daily_definition

NOW = datetime(2020, 2, 14, 2, tzinfo=UTC)


def test_the_provincial_questionnaire_is_published_once(database: Any) -> None:
    first = commands.ensure_provincial_daily(now=NOW)
    again = commands.ensure_provincial_daily(now=NOW)
    assert first.pk == again.pk
    assert first.number == 1
    assert first.etag == provincial_daily().digest
    with school_context("*"):
        current = queries.current_version(NOBODY, PROVINCIAL_DAILY)
        assert current is not None
        assert queries.compiled(current).questions.keys() == provincial_daily().questions.keys()
        assert Entry.objects.filter(verb="publish", object_type="questionnaire_version").count() == 1


def test_a_change_is_a_new_version_and_the_old_one_stays(database: Any) -> None:
    commands.ensure_provincial_daily(now=NOW)
    definition = provincial_daily_definition()
    definition["sections"][0]["questions"][1]["help"]["zh"] = "请用水银体温计"
    with school_context("*", using="bulk"):
        second = commands.publish_version(
            by=system_scope("test"),
            questionnaire_code=PROVINCIAL_DAILY,
            definition=definition,
            now=NOW,
            using="bulk",
        )
    assert second.number == 2
    with school_context("*"):
        assert [version.number for version in queries.versions(NOBODY, PROVINCIAL_DAILY)] == [2, 1]


def test_a_faulty_definition_is_refused_with_the_place_and_nothing_is_kept(database: Any) -> None:
    definition = provincial_daily_definition()
    definition["sections"][0]["questions"][0]["stable"] = "always"
    with school_context("*", using="bulk"), pytest.raises(Refused, match="questions\\[0\\]"):
        commands.publish_version(
            by=system_scope("test"), questionnaire_code="x", definition=definition, now=NOW, using="bulk"
        )
    with school_context("*"):
        assert not QuestionnaireVersion.objects.exists()


def test_a_visitor_cannot_publish(database: Any) -> None:
    with school_context(""), pytest.raises(NotYours):
        commands.publish_version(by=NOBODY, questionnaire_code="x", definition=provincial_daily_definition(), now=NOW)
