"""Addresses beneath /onboarding/."""

from __future__ import annotations

from django.urls import path

from anxiao.accounts import views_onboarding as views

app_name = "onboarding"

urlpatterns = [
    path("", views.apply, name="apply"),
    path("<slug:code>/", views.sent, name="sent"),
]
