"""Addresses of the machine interface, beneath /api/v1/."""

from __future__ import annotations

from django.urls import path

from anxiao.config import api, api_directory

app_name = "api"

urlpatterns = [
    path("", api.root, name="root"),
    path("openapi.json", api.document, name="openapi"),
    path("me", api.me, name="me"),
    path("nodes/<int:node_id>/today", api.node_today, name="node_today"),
    path("sheets", api.sheets, name="sheets"),
    path("directory/imports", api_directory.upload, name="directory_upload"),
    path("directory/imports/<int:import_id>", api_directory.show, name="directory_import"),
    path("directory/imports/<int:import_id>/rows", api_directory.rows, name="directory_rows"),
    path("directory/imports/<int:import_id>/apply", api_directory.apply, name="directory_apply"),
    path("<path:rest>", api.absent, name="absent"),
]
