"""Addresses of the machine interface, beneath /api/v1/."""

from __future__ import annotations

from django.urls import path

from anxiao.config import api

app_name = "api"

urlpatterns = [
    path("", api.root, name="root"),
    path("openapi.json", api.document, name="openapi"),
    path("me", api.me, name="me"),
    path("nodes/<int:node_id>/today", api.node_today, name="node_today"),
    path("sheets", api.sheets, name="sheets"),
    path("<path:rest>", api.absent, name="absent"),
]
