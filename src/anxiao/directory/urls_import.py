"""Addresses of the directory import, beneath /console/people/."""

from __future__ import annotations

from django.urls import path

from anxiao.directory import views_import as views
from anxiao.directory import views_import_files as files

urlpatterns = [
    path("import/", views.imports, name="imports"),
    path("import/template/<slug:kind>.xlsx", files.template, name="import_template"),
    path("import/<int:import_id>/", views.show, name="import"),
    path("import/<int:import_id>/progress/", views.progress, name="import_progress"),
    path("import/<int:import_id>/columns/", views.mapping, name="import_mapping"),
    path("import/<int:import_id>/leavers/", views.leavers, name="import_leavers"),
    path("import/<int:import_id>/apply/", views.apply, name="import_apply"),
    path("import/<int:import_id>/cancel/", views.cancel, name="import_cancel"),
    path("import/<int:import_id>/discard/", views.discard, name="import_discard"),
    path("import/<int:import_id>/again/", views.again, name="import_again"),
    path("import/<int:import_id>/undo/", views.undo, name="import_undo"),
    path("import/<int:import_id>/errors.xlsx", files.errors, name="import_errors"),
    path("import/<int:import_id>/original/", files.original, name="import_original"),
]
