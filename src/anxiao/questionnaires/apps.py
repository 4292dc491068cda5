from django.apps import AppConfig


class QuestionnairesConfig(AppConfig):
    name = "anxiao.questionnaires"
    label = "questionnaires"
