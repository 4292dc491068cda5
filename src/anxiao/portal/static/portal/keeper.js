// The worker's work: the last seen pages of one person for a moment without a network, and sending what waits.
// Kept are only pages that say whose they are (X-Anxiao-Person) and do not forbid it; never one with an answer in it.
/* global HOME, FILES, WORDS */
(function (here) {
  "use strict";
  const PAGES = "anxiao-pages:";
  const SHELL = "anxiao-files";
  const FORM = new RegExp("^" + HOME + "report/\\d+/$");
  const PATIENCE = 4000;
  const LATE_LASTS = 15000;
  const OLD = 2 * 24 * 3600 * 1000;
  let times = 0; // how often somebody has left: what was asked for before that is kept no more
  let late = null;

  const keepable = (path) => path === HOME || FORM.test(path);
  const named = (path) => /\.[0-9a-f]{12}\.\w+$/.test(path); // named by its content, so it never changes

  const wipe = (but) => caches.keys().then((names) => Promise.all(
    names.filter((name) => name.indexOf(PAGES) === 0 && name !== but).map((name) => caches.delete(name))));

  async function forgetPage(path) {
    for (const name of await caches.keys()) if (name.indexOf(PAGES) === 0) await (await caches.open(name)).delete(path);
  }

  async function keep(path, answer, then) {
    const person = answer.headers.get("X-Anxiao-Person");
    if (!person || answer.redirected || !answer.ok || /no-store/.test(answer.headers.get("Cache-Control") || "")) return;
    const page = await answer.text();
    const headers = new Headers();
    ["Content-Type", "Content-Language", "Content-Security-Policy", "Permissions-Policy", "Referrer-Policy", "X-Content-Type-Options", "X-Frame-Options", "Cross-Origin-Opener-Policy"].forEach((name) => {
      if (answer.headers.has(name)) headers.set(name, answer.headers.get(name));
    });
    // It must say that it is a copy, and its ticket is of no use any more.
    const copy = page.replace("<html ", '<html data-kept="' + new Date().toISOString() + '" ').replace(/"ticket": "[^"]*"/, '"ticket": ""');
    if (then !== times) return;
    headers.set("X-Kept", String(Date.now()));
    await wipe(PAGES + person);
    const pages = await caches.open(PAGES + person);
    await pages.put(path, new Response(copy, { headers }));
    for (const request of await pages.keys()) {
      const old = await pages.match(request);
      if (old && Date.now() - Number(old.headers.get("X-Kept")) > OLD) await pages.delete(request);
    }
  }

  async function find(path) {
    for (const name of await caches.keys()) {
      if (name.indexOf(PAGES) !== 0) continue;
      const found = await (await caches.open(name)).match(path);
      if (found) return found;
    }
    return undefined;
  }

  // Without a network and without a copy: a word instead of the browser's own page of errors, in the language last seen.
  async function nothing() {
    const seen = await find(HOME);
    const language = (seen && seen.headers.get("Content-Language")) || (/^zh/i.test(here.navigator.language) ? "zh-hans" : "en");
    const words = WORDS[language] || WORDS.en;
    const styles = FILES.filter((path) => /\.css$/.test(path)).map((path) => '<link rel="stylesheet" href="' + path + '">').join("");
    return new Response(
      '<!doctype html><html lang="' + language + '"><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>' + words.title + "</title>" + styles +
      '<body class="h5"><main class="h5-main"><section class="h5-answer h5-answer_wait"><h1 class="h5-answer__big">' + words.title + '</h1><p class="h5-answer__small">' + words.text +
      '</p><a class="weui-btn weui-btn_primary" href="' + HOME + '">' + words.back + "</a></section></main></body></html>",
      { status: 503, headers: { "Content-Type": "text/html; charset=utf-8", "Content-Security-Policy": "default-src 'none'; style-src 'self'", "Cache-Control": "no-store" } });
  }

  async function page(event, path) {
    if (late && late.path === path && Date.now() - late.at < LATE_LASTS) {
      const come = late.answer;
      late = null;
      return come;
    }
    late = null;
    const then = times;
    const network = Promise.resolve(event.preloadResponse).then((come) => come || fetch(event.request)).then((answer) => {
      if (keepable(path)) {
        // Led elsewhere: nobody is signed in any more, or there is no such form any more.
        if (answer.type === "opaqueredirect") event.waitUntil(path === HOME ? wipe("") : forgetPage(path));
        else event.waitUntil(keep(path, answer.clone(), then).catch(() => {}));
      }
      return answer;
    });
    const copy = keepable(path) ? await find(path) : undefined;
    if (!copy) return network.catch(nothing);
    let given = false;
    const broken = (answer) => answer.status === 502 || answer.status === 503 || answer.status === 504;
    const patience = new Promise((resolve) => setTimeout(() => { given = true; resolve(copy); }, PATIENCE));
    const coming = network.then((answer) => {
      if (broken(answer)) return copy;
      if (given) {
        late = { path, answer, at: Date.now() };
        tell({ fresh: path });
      }
      return answer;
    }, () => copy);
    event.waitUntil(coming);
    return Promise.race([coming, patience]);
  }

  async function file(request, path) {
    const shell = await caches.open(SHELL);
    if (named(path)) {
      const found = await shell.match(path);
      if (found) return found;
    }
    try {
      const answer = await fetch(request);
      if (answer.ok) await shell.put(path, answer.clone());
      return answer;
    } catch (e) {
      return (await shell.match(path)) || Response.error();
    }
  }

  const tell = (what) => here.clients.matchAll({ type: "window" }).then((all) => all.forEach((client) => client.postMessage(what)));

  async function sendAll() {
    const { vault, people, alone, send } = here.anxiaoOffline;
    let left = false;
    for (const person of await people()) {
      const kept = await vault(person);
      for (const waiting of await kept.all("waiting")) {
        if (waiting.ended) continue;
        const { result } = await alone(kept, () => send(kept, waiting.slot, ""));
        if (result && result.kind === "later") left = true;
        else await tell({ settled: waiting.slot });
      }
    }
    if (left) throw new Error("later"); // the browser calls again
  }

  here.addEventListener("install", (event) => {
    event.waitUntil(caches.open(SHELL).then((shell) => Promise.all(FILES.map((path) => fetch(path).then((answer) => (answer.ok ? shell.put(path, answer) : undefined))))).then(() => here.skipWaiting()));
  });
  here.addEventListener("activate", (event) => {
    const tidy = async () => {
      const old = (await caches.keys()).filter((name) => name.indexOf("anxiao-h5") === 0);
      await Promise.all(old.map((name) => caches.delete(name)));
      const shell = await caches.open(SHELL);
      const files = await shell.keys();
      await Promise.all(files.filter((request) => FILES.indexOf(new URL(request.url).pathname) < 0).map((request) => shell.delete(request)));
      if (here.registration.navigationPreload) await here.registration.navigationPreload.enable();
      await here.clients.claim();
    };
    event.waitUntil(tidy());
  });
  here.addEventListener("fetch", (event) => {
    const request = event.request;
    const url = new URL(request.url);
    if (request.method !== "GET") { late = null; return; }
    if (url.origin !== here.location.origin) return;
    if (request.mode === "navigate") event.respondWith(page(event, url.pathname));
    else if (FILES.indexOf(url.pathname) >= 0) event.respondWith(file(request, url.pathname));
  });
  here.addEventListener("message", (event) => {
    if (event.data.leave) {
      times += 1;
      late = null;
      event.waitUntil(wipe(""));
    }
    if (event.data.keep) {
      const then = times;
      event.waitUntil(Promise.all(Array.from(new Set(event.data.keep)).filter(keepable).map(async (path) =>
        // What is kept already is renewed when somebody opens it, not in advance: phones pay for every kilobyte.
        (await find(path)) || fetch(path, { credentials: "same-origin", headers: { "Accept-Language": event.data.language } }).then((answer) => keep(path, answer, then)).catch(() => {}))));
    }
  });
  here.addEventListener("sync", (event) => { if (event.tag === "anxiao-send") event.waitUntil(sendAll()); });
})(self);
