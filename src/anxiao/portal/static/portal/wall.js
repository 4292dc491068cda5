/* A stream brings the wall its figures; where there is none the wall fetches them every two seconds. It says so when it can
   do neither: figures of an earlier moment are never shown as if they were of now. Without this script the page shows the
   moment at which it was loaded. */
(function () {
  "use strict";
  const EVERY = 2000;
  const PATIENCE = 5000;
  const words = document.getElementById("wall-words");
  const link = document.getElementById("wall-link");
  const list = document.querySelector("[data-wall-groups]");
  const ticker = document.querySelector("[data-wall-ticker]");
  const curve = document.getElementById("hours-data");
  if (!words || !link) return;
  let last = document.querySelector("[data-wall-at]").textContent.trim();

  function say(text, lost) {
    // only on a change, because a screen reader speaks it
    if (link.textContent !== text) link.textContent = text;
    link.classList.toggle("wall-link_lost", lost);
    document.body.classList.toggle("wall-stale", lost);
  }

  function groups(rows) {
    const items = rows.map((row) => {
      const item = document.createElement("li");
      const name = document.createElement("span");
      name.className = "wall-list__name";
      name.textContent = row.name;
      const bar = document.createElement("progress");
      bar.className = "wall-bar";
      bar.max = row.max;
      bar.value = row.value;
      bar.setAttribute("aria-label", row.name);
      const share = document.createElement("b");
      share.textContent = row.share;
      item.append(name, bar, share);
      return item;
    });
    list.replaceChildren(...items);
    few();
  }
  const few = () => list.classList.toggle("wall-list_few", list.children.length <= 8);

  function run(names) {
    const text = names.join("\n");
    if (ticker.dataset.names !== text) {
      ticker.dataset.names = text;
      ticker.replaceChildren(
        ...names.map((name) => {
          const one = document.createElement("span");
          one.textContent = name;
          return one;
        })
      );
      const box = ticker.parentElement;
      ticker.classList.remove("is-moving");
      const wide = ticker.scrollWidth;
      // slow enough to be read: about a hand's width a second
      if (wide > box.clientWidth) {
        ticker.style.animationDuration = Math.round((wide + box.clientWidth) / 90) + "s";
        ticker.classList.add("is-moving");
      }
    }
    document.querySelector("[data-wall-ticker-box]").classList.toggle("wall-ticker_none", names.length === 0);
  }

  function show(now) {
    if (now.day !== words.dataset.day) {
      window.location.reload();
      return;
    }
    for (const place of document.querySelectorAll("[data-wall]")) {
      const text = now.texts[place.dataset.wall];
      if (text !== undefined && place.textContent !== text) place.textContent = text;
    }
    for (const bar of document.querySelectorAll("[data-wall-bar]")) {
      bar.max = now[bar.dataset.wallBar].max;
      bar.value = now[bar.dataset.wallBar].value;
    }
    groups(now.groups);
    run(now.ticker);
    const spec = JSON.stringify(now.curve);
    if (curve && curve.dataset.seen !== spec) {
      curve.textContent = spec;
      curve.dataset.seen = spec;
      document.dispatchEvent(new CustomEvent("ax:redraw"));
    }
    alive(now.at);
  }

  function alive(at) {
    last = at;
    document.querySelector("[data-wall-at]").textContent = at;
    say(words.dataset.live, false);
  }

  const lost = () => say(words.dataset.lost.replace("{time}", last), true);

  async function ask() {
    const stop = new AbortController();
    const timer = setTimeout(() => stop.abort(), PATIENCE);
    try {
      const answer = await fetch(words.dataset.url, { signal: stop.signal, cache: "no-store", credentials: "same-origin" });
      if (answer.status === 401) {
        window.location.reload();
        return;
      }
      if (!answer.ok) throw new Error(String(answer.status));
      const now = await answer.json();
      words.dataset.ticket = now.ticket;
      if (how !== "live") show(now);
    } catch (problem) {
      if (how !== "live") lost();
    } finally {
      clearTimeout(timer);
    }
  }

  async function poll() {
    if (how !== "live" && how !== "" && !document.hidden) await ask();
    setTimeout(poll, EVERY);
  }

  let how = "";
  few();
  run(Array.from(ticker.children, (one) => one.textContent));
  window.axLive({
    address: () => "/streams/wall?ticket=" + encodeURIComponent(words.dataset.ticket),
    figures: show,
    alive,
    state: (name) => {
      how = name;
      if (name === "lost") lost();
    },
  });
  setTimeout(poll, EVERY);
})();
