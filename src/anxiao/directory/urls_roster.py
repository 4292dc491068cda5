"""Addresses of the roster, beneath /console/people/."""

from __future__ import annotations

from django.urls import path

from anxiao.directory import views_roster as roster
from anxiao.directory import views_tree as tree

urlpatterns = [
    path("roster/", roster.changes, name="roster"),
    path("roster/tree/", tree.tree, name="tree"),
    path("roster/tree/<int:node_id>/<slug:act>/", tree.node_change, name="node_change"),
    path("roster/<int:change_id>/undo/", roster.undo, name="undo_change"),
    path("<int:person_id>/roster/", roster.person_roster, name="person_roster"),
    path("<int:person_id>/roster/<slug:kind>/", roster.person_change, name="person_change"),
]
