// Shared by the phone's pages: a report that could not be sent waits here, visibly, and goes out when it can.
// Plain enough for the browsers inside WeChat and DingTalk; no framework, nothing to load first.
window.anxiao = (() => {
  "use strict";
  const words = JSON.parse(document.getElementById("words").textContent);
  const WAITING = "anxiao:waiting:" + words.person;
  const AGAIN_AFTER = 15000;
  let timer = 0;
  let busy = false;

  // Storage may be full or forbidden (private windows): then there is simply no draft.
  const store = {
    get(key) { try { return JSON.parse(localStorage.getItem(key)); } catch (e) { return null; } },
    set(key, value) { try { localStorage.setItem(key, JSON.stringify(value)); return true; } catch (e) { return false; } },
    drop(key) { try { localStorage.removeItem(key); } catch (e) { /* nothing was kept */ } },
    keys() { try { return Object.keys(localStorage); } catch (e) { return []; } },
  };
  const draftKey = (round) => "anxiao:draft:" + words.person + ":" + round;

  // What came of sending: {status, body}; status 0 means that nobody answered.
  async function post(door, body) {
    const stop = window.AbortController ? new AbortController() : null;
    const timer = stop && setTimeout(() => stop.abort(), 20000);
    try {
      const answer = await fetch(door, {
        method: "POST",
        credentials: "same-origin",
        headers: {
          "Content-Type": "application/json",
          "X-Anxiao": "1",
          // whose page this is: another who signed in meanwhile must not be given these answers
          "X-Anxiao-Person": String(words.person),
          "Accept-Language": document.documentElement.lang,
        },
        body: JSON.stringify(body),
        signal: stop ? stop.signal : undefined,
      });
      let said = {};
      try { said = await answer.json(); } catch (e) { /* a proxy's own page */ }
      return { status: answer.status, body: said };
    } catch (e) {
      return { status: 0, body: {} };
    } finally {
      clearTimeout(timer);
    }
  }

  const arrived = (status) => status === 200 || status === 201 || status === 409;
  const mayComeLater = (status) => status === 0 || status === 429 || status >= 500;

  // Keep a report on the phone and say so at once; false when there is no room to keep it.
  function wait(item, result) {
    if (!store.set(WAITING, item)) return false;
    show(item, result);
    clearTimeout(timer);
    timer = setTimeout(flush, AGAIN_AFTER);
    return true;
  }

  function settle(item) {
    store.drop(WAITING);
    store.drop(draftKey(item.body.round));
    location.href = item.receipt;
  }

  async function flush() {
    const item = store.get(WAITING);
    if (!item || busy) return;
    busy = true;
    clearTimeout(timer);
    const result = await post(item.door, item.body);
    busy = false;
    if (arrived(result.status)) return settle(item);
    show(item, result);
    if (mayComeLater(result.status)) timer = setTimeout(flush, AGAIN_AFTER);
  }

  function show(item, result) {
    const box = document.getElementById("waiting");
    if (!box) return;
    const text = document.getElementById("waiting-text");
    const button = document.getElementById("waiting-again");
    document.getElementById("waiting-title").textContent = words.waiting_title;
    button.onclick = flush;
    button.textContent = words.try_now;
    if (!result || result.status === 0) text.textContent = words.waiting_offline;
    else if (result.status === 401) {
      text.textContent = words.waiting_login;
      button.textContent = words.sign_in;
      button.onclick = () => { location.href = words.login; };
    } else if (mayComeLater(result.status)) text.textContent = words.waiting_busy;
    else {
      // It will never be taken as it stands: back to the form, which still has everything that was typed.
      text.textContent = words.waiting_refused + " " + (result.body.message || "");
      button.textContent = words.fill_again;
      button.onclick = () => { store.drop(WAITING); location.assign(item.page); };
    }
    box.hidden = false;
    const sheet = document.getElementById("sheet");
    if (sheet) { sheet.hidden = true; window.scrollTo(0, 0); }
    const due = document.querySelector('[data-due="' + item.body.round + '"]');
    if (due) due.hidden = true;
  }

  // Yesterday's drafts hold health answers and help nobody.
  function tidy() {
    const old = Date.now() - 36 * 3600 * 1000;
    store.keys().filter((key) => key.indexOf("anxiao:draft:") === 0).forEach((key) => {
      const draft = store.get(key);
      if (!draft || !(draft.at > old)) store.drop(key);
    });
  }

  tidy();
  if (words.arrived) store.drop(draftKey(words.arrived));
  const waiting = store.get(WAITING);
  if (waiting) {
    if (words.arrived === waiting.body.round || document.querySelector('[data-done="' + waiting.body.round + '"]')) store.drop(WAITING);
    else { show(waiting, null); flush(); }
  }
  window.addEventListener("online", flush);
  document.addEventListener("visibilitychange", () => { if (!document.hidden) flush(); });

  document.querySelectorAll("form[data-leave]").forEach((form) => {
    form.addEventListener("submit", () => {
      store.keys().filter((key) => key.indexOf("anxiao:draft:") === 0).forEach(store.drop);
      if (window.caches) caches.keys().then((names) => names.forEach((name) => caches.delete(name)));
    });
  });
  if ("serviceWorker" in navigator) navigator.serviceWorker.register(words.home + "worker.js").catch(() => {});

  return { words, store, draftKey, post, arrived, mayComeLater, wait };
})();
