{% load static %}const HOME = "{% url 'portal:h5' %}";
{% phone_styles as styles %}const FILES = [{% for style in styles %}"{{ style }}", {% endfor %}"{% static 'portal/offline.js' %}", "{% static 'portal/phone.js' %}", "{% static 'portal/report.js' %}", "{% static 'ui/mark.svg' %}"];
const WORDS = { {% for language, said in words.items %}"{{ language|escapejs }}": { title: "{{ said.title|escapejs }}", text: "{{ said.text|escapejs }}", back: "{{ said.back|escapejs }}" }, {% endfor %}};
importScripts("{% static 'portal/offline.js' %}", "{% static 'portal/keeper.js' %}");
