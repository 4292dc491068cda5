"""Who may import into which school, and whose imports one may see."""

from __future__ import annotations

from django.utils.translation import gettext as _

from anxiao.base.errors import NotYours, Refused
from anxiao.base.permissions import Permission
from anxiao.base.scope import Scope
from anxiao.directory.importing import plan
from anxiao.directory.models import DirectoryImport, Organisation, School
from anxiao.directory.names import OrganisationKind


def is_the_house(scope: Scope) -> bool:
    """Whether the house itself asks: the command line or a job, never a request."""
    return scope.user_id == 0 and scope.origin != "web"


def check_may_import(scope: Scope, school: School) -> Organisation:
    """The school's node, when the caller may import there; `NotYours` otherwise."""
    node = plan.school_node(school.pk)
    if node is None:
        if is_the_house(scope):
            raise Refused(_("This school is not in use yet: approve its application first."), code="not_in_use")
        raise NotYours
    if not is_the_house(scope) and not scope.may(Permission.DIRECTORY_IMPORT, node.path):
        raise NotYours
    return node


def schools_for_import(scope: Scope) -> list[School]:
    """Schools into which the caller may import, by code."""
    paths = scope.paths_for(Permission.DIRECTORY_IMPORT)
    nodes = Organisation.objects.filter(kind=OrganisationKind.SCHOOL, path__under=paths)
    return list(School.objects.filter(pk__in=nodes.values("school_id")).order_by("code"))


def get_import(scope: Scope, import_id: int) -> DirectoryImport:
    """An import of a school into which the caller may import; absent and foreign answer alike."""
    import_ = DirectoryImport.objects.filter(pk=import_id).first()
    if import_ is None:
        raise NotYours
    school = School.objects.filter(pk=import_.school_id).first()
    if school is None:
        raise NotYours
    check_may_import(scope, school)
    return import_
