"""Addresses beneath /console/settings/."""

from __future__ import annotations

from django.urls import path

from anxiao.accounts import views_console as views

app_name = "settings"

urlpatterns = [
    path("roles/", views.grants, name="grants"),
    path("roles/add/", views.grant_add, name="grant_add"),
    path("roles/counsellors/", views.counsellors, name="counsellors"),
    path("roles/<int:grant_id>/end/", views.grant_end, name="grant_end"),
    path("accounts/<int:user_id>/", views.account, name="account"),
    path("activation/", views.activation, name="activation"),
    path("activation/<int:node_id>/", views.activation, name="activation_node"),
    path("activation/<int:node_id>/print/", views.activation_print, name="activation_print"),
    path("schools/", views.onboarding, name="onboarding"),
    path("schools/<int:application_id>/", views.onboarding_decide, name="onboarding_decide"),
    path("categories/", views.categories, name="categories"),
]
