"""The console's boards, beneath /console/.  Sheets, people and settings have addresses of their own rooms."""

from __future__ import annotations

from django.urls import path

from anxiao.portal import views_console as views

urlpatterns = [
    path("", views.today, name="console"),
    path("schools/", views.school_list, name="console_schools"),
    path("schools/export/", views.school_list_export, name="console_schools_export"),
    path("mine/remind/", views.remind_mine, name="console_remind_mine"),
    path("mine/<slug:kind>/", views.mine_list, name="console_mine_list"),
    path("node/<int:node_id>/", views.node, name="console_node"),
    path("node/<int:node_id>/activation/", views.activation, name="console_activation"),
    path("node/<int:node_id>/exemptions/", views.exemptions, name="console_exemptions"),
    path("node/<int:node_id>/remind/", views.remind_node, name="console_remind"),
    path("node/<int:node_id>/<slug:kind>/", views.node_list, name="console_node_list"),
    path("place/<int:place_id>/", views.place, name="console_place"),
    path("place/<int:place_id>/remind/", views.remind_place, name="console_remind_place"),
    path("place/<int:place_id>/<slug:kind>/", views.place_list, name="console_place_list"),
    path("person/<int:person_id>/reports/", views.person_reports, name="console_person_reports"),
    path("person/<int:person_id>/history/", views.person_history, name="console_person_history"),
    path("person/<int:person_id>/answers/<int:round_id>/", views.answers, name="console_answers"),
    path("person/<int:person_id>/fill-in/", views.proxy, name="console_proxy"),
    path("person/<int:person_id>/correct/<int:round_id>/", views.correct, name="console_correct"),
    path("person/<int:person_id>/remind/", views.remind_one, name="console_remind_one"),
    path("person/<int:person_id>/exempt/", views.exempt, name="console_exempt"),
    path("exemptions/<int:exemption_id>/cancel/", views.cancel, name="console_exemption_cancel"),
]
