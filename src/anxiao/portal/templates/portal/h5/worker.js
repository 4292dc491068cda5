{% load static %}// Keeps the last seen "today" page, so that "have I reported?" has an answer without a network.
// Only that page and the files it needs are kept; they go when the person signs out.
const KEPT = "anxiao-h5-1";
const HOME = "{% url 'portal:h5' %}";
const FILES = ["{% static 'ui/tokens.css' %}", "{% static 'ui/h5.css' %}", "{% static 'portal/h5.css' %}", "{% static 'portal/phone.js' %}", "{% static 'ui/mark.svg' %}"];

// A page that led to the sign-in form is not this page, and a redirected answer could not be shown anyway.
const keep = (path, answer) => (answer.ok && !answer.redirected ? caches.open(KEPT).then((cache) => cache.put(path, answer)) : undefined);

self.addEventListener("install", (event) => {
  const all = FILES.concat([HOME]).map((path) => fetch(path).then((answer) => keep(path, answer)));
  event.waitUntil(Promise.all(all).then(() => self.skipWaiting()));
});
self.addEventListener("activate", (event) => {
  event.waitUntil(caches.keys().then((names) => Promise.all(names.filter((n) => n !== KEPT && n.startsWith("anxiao-h5")).map((n) => caches.delete(n)))).then(() => self.clients.claim()));
});
self.addEventListener("fetch", (event) => {
  const url = new URL(event.request.url);
  if (event.request.method !== "GET" || url.origin !== self.location.origin) return;
  const home = url.pathname === HOME;
  if (!home && FILES.indexOf(url.pathname) < 0) return;
  event.respondWith(
    fetch(event.request).then((answer) => {
      event.waitUntil(Promise.resolve(keep(url.pathname, answer.clone())));
      return answer;
    }).catch(() => caches.match(url.pathname).then((kept) => kept || Response.error()))
  );
});
