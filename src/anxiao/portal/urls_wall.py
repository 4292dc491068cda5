"""The wall's addresses, beneath /wall/."""

from __future__ import annotations

from django.urls import path

from anxiao.portal import views_wall as views

urlpatterns = [
    path("", views.wall, name="wall"),
    path("data/", views.data, name="wall-data"),
]
