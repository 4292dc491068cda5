"""Addresses beneath /console/settings/."""

from __future__ import annotations

from django.urls import path

from anxiao.accounts import views_activation as activation
from anxiao.accounts import views_console as views
from anxiao.accounts import views_grants as grants
from anxiao.accounts import views_responsible as responsible

app_name = "settings"

urlpatterns = [
    path("roles/", grants.grants, name="grants"),
    path("roles/add/", grants.grant_add, name="grant_add"),
    path("roles/counsellors/", grants.counsellors, name="counsellors"),
    path("roles/gaps/", responsible.gap_list, name="gaps"),
    path("roles/mine/", responsible.mine, name="mine"),
    path("roles/<int:grant_id>/end/", grants.grant_end, name="grant_end"),
    path("roles/<int:grant_id>/deputy/", responsible.deputy, name="deputy"),
    path("accounts/<int:user_id>/", grants.account, name="account"),
    path("accounts/<int:user_id>/handover/", responsible.handover, name="handover"),
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
