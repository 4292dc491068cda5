"""Addresses beneath /console/people/."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec

from django.urls import URLPattern, URLResolver, include, path

from anxiao.directory import views, views_profile

app_name = "directory"


def _import_pages() -> list[URLPattern | URLResolver]:
    module = "anxiao.directory.urls_import"
    return [path("", include(import_module(module).urlpatterns))] if find_spec(module) else []


urlpatterns = [
    path("", views.people, name="people"),
    path("<int:person_id>/", views.person, name="person"),
    path("<int:person_id>/phone/", views.phone, name="phone"),
    path("proposals/", views_profile.proposals, name="proposals"),
    path("proposals/<int:proposal_id>/", views_profile.decide, name="proposal"),
    path("", include("anxiao.directory.urls_roster")),
    *_import_pages(),
]
