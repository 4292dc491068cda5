"""Addresses beneath /console/settings/."""

from __future__ import annotations

from django.urls import path

from anxiao.accounts import views_activation as activation
from anxiao.accounts import views_console as views

app_name = "settings"

urlpatterns = [
    path("roles/", views.grants, name="grants"),
    path("roles/add/", views.grant_add, name="grant_add"),
    path("roles/counsellors/", views.counsellors, name="counsellors"),
    path("roles/<int:grant_id>/end/", views.grant_end, name="grant_end"),
    path("accounts/<int:user_id>/", views.account, name="account"),
    path("activation/", activation.activation, name="activation"),
    path("activation/alarms/", activation.alarm_list, name="alarms"),
    path("activation/alarms/<int:alarm_id>/settle/", activation.alarm_settle, name="alarm_settle"),
    path("activation/<int:node_id>/", activation.activation, name="activation_node"),
    path("activation/<int:node_id>/print/", activation.activation_print, name="activation_print"),
    path("activation/<int:node_id>/deliver/", activation.activation_deliver, name="activation_deliver"),
    path("activation/<int:node_id>/<slug:stage>/", activation.standing_still, name="activation_still"),
    path("schools/", views.onboarding, name="onboarding"),
    path("schools/<int:application_id>/", views.onboarding_decide, name="onboarding_decide"),
    path("categories/", views.categories, name="categories"),
]
