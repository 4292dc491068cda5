"""Addresses of the directory import, beneath /console/people/."""

from __future__ import annotations

from django.urls import path

from anxiao.directory import views_import as views

urlpatterns = [
    path("import/", views.imports, name="imports"),
    path("import/template/<slug:kind>.xlsx", views.template, name="import_template"),
    path("import/<int:import_id>/", views.show, name="import"),
    path("import/<int:import_id>/apply/", views.apply, name="import_apply"),
    path("import/<int:import_id>/discard/", views.discard, name="import_discard"),
    path("import/<int:import_id>/errors.xlsx", views.errors, name="import_errors"),
]
