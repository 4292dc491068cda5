// Shared by the phone's pages: says what waits here, sends it when it can, and keeps this phone to one person.
// Plain enough for the browsers inside WeChat and DingTalk; no framework, nothing to load first.
window.anxiao = (() => {
  "use strict";
  const offline = window.anxiaoOffline;
  const words = JSON.parse(document.getElementById("words").textContent);
  const home = document.getElementById("rounds");
  const place = document.getElementById("waiting");
  const pattern = document.getElementById("waiting-card");
  const opened = Date.now();
  const TICKET_LASTS = 14 * 60 * 1000;
  // A kept copy of a page has the ticket of another hour.
  let ticket = { text: "kept" in document.documentElement.dataset ? "" : words.ticket || "", at: opened };
  let timer = 0;
  let turn = 0;

  // Plain text of an earlier version of this page.
  try {
    Object.keys(localStorage).filter((key) => /^anxiao:(draft|waiting):/.test(key)).forEach((key) => localStorage.removeItem(key));
  } catch (e) { /* a browser without a store kept nothing */ }

  const vault = offline.vault(words.person).then(async (kept) => {
    try { await kept.only(); } catch (e) { /* what cannot be tidied now is tidied next time */ }
    return kept;
  });

  const say = (text, values) => text.replace(/\{(\w+)\}/g, (all, name) => (name in values ? values[name] : all));
  const two = (number) => (number < 10 ? "0" : "") + number;
  // The day and the time in the province, wherever the phone thinks it is.
  const there = (moment) => new Date(new Date(moment).getTime() + 8 * 3600 * 1000).toISOString();
  const day = (moment) => there(moment).slice(0, 10);
  const clock = (moment) => (day(moment) === day(Date.now()) ? "" : there(moment).slice(5, 10) + " ") + there(moment).slice(11, 16);

  const here = (item) => place && (home || words.slot === item.slot);

  // ---- the card of a report that waits ----

  function text(item, result, lasting) {
    const lines = [];
    const noted = say(words.noted, { at: clock(item.captured_at) });
    if (result.kind === "closed") lines.push(say(words.closed, { at: clock(result.closed_at || item.closes_at), noted: clock(item.captured_at) }));
    else if (result.kind === "other") lines.push(result.receipt ? say(result.edited ? words.edited : words.other, { at: clock(result.receipt.received_at), number: result.receipt.number }) : words.other_unnamed);
    else if (result.kind === "changed") lines.push(words.changed);
    else if (result.kind === "refused") lines.push(words.refused + " " + (result.message || ""));
    else {
      const reason = result.kind === "sign_in" ? "login" : result.status ? "busy" : "offline";
      lines.push(lasting ? words["waiting_" + reason] : words["passing_" + reason], noted);
      if (Date.now() >= Date.parse(item.closes_at)) lines.push(words.over);
      else if (Date.now() >= Date.parse(item.deadline_at) && item.n === 0) lines.push(say(words.late, { at: clock(item.deadline_at) }));
    }
    return lines;
  }

  function buttons(item, result, lasting) {
    const again = { label: words.try_now, act: () => flush(item.slot) };
    const discard = { label: words.discard, act: async () => { if (window.confirm(words.discard_sure)) { await drop(item, true); location.assign(words.home); } } };
    if (result.kind === "closed") return [{ label: words.help, href: words.help_page }, discard];
    if (result.kind === "other") return [{ label: words.see_receipt, href: item.receipt }, discard];
    if (result.kind === "changed" || result.kind === "refused") return [{ label: words.fill_again, act: async () => { await drop(item, false); location.assign(item.page); } }, discard];
    if (result.kind === "sign_in") return [{ label: words.sign_in, href: words.login, aside: !lasting }, again];
    return [again];
  }

  async function drop(item, everything) {
    const kept = await vault;
    await kept.drop("waiting", item.slot);
    if (everything) { await kept.drop("draft", item.slot); await kept.unmark("key", item.slot); }
  }

  async function show(item, result) {
    if (!here(item)) return;
    const kept = await vault;
    const ended = !(result.kind === "later" || result.kind === "sign_in");
    let card = document.getElementById("waiting-" + item.slot);
    if (!card) {
      card = pattern.content.firstElementChild.cloneNode(true);
      card.id = "waiting-" + item.slot;
      place.appendChild(card);
    }
    card.querySelector("h2").textContent = ended ? words.ended_title : words.waiting_title;
    const box = card.querySelector(".ph-lines");
    box.textContent = "";
    text(item, result, kept.lasting).forEach((line) => { const p = document.createElement("p"); p.className = "h5-answer__small"; p.textContent = line; box.appendChild(p); });
    const row = card.querySelector(".ph-acts");
    row.textContent = "";
    buttons(item, result, kept.lasting).forEach((button, i) => {
      const made = document.createElement(button.href ? "a" : "button");
      made.className = "weui-btn " + (i ? "weui-btn_text" : "weui-btn_primary");
      made.textContent = button.label;
      if (button.href) made.href = button.href; else { made.type = "button"; made.addEventListener("click", button.act); }
      if (button.aside) made.target = "_blank";
      row.appendChild(made);
    });
    // Nothing but this page holds it.
    card.toggleAttribute("data-passing", !kept.lasting && !ended);
    place.hidden = false;
    const sheet = document.getElementById("sheet");
    if (sheet && words.slot === item.slot) { sheet.hidden = true; window.scrollTo(0, 0); }
    const due = document.querySelector('[data-due="' + item.round + '"]');
    if (due && item.n === 0) due.hidden = true;
  }

  function hide(slot) {
    const card = document.getElementById("waiting-" + slot);
    if (card) card.remove();
    const sheet = document.getElementById("sheet");
    if (sheet && words.slot === slot) sheet.hidden = false;
  }

  // ---- sending ----

  const fresh = (item) => (words.slot === item.slot && ticket.text && Date.now() - ticket.at < TICKET_LASTS && Date.now() >= ticket.at ? ticket.text : "");

  // Tries once; tells what came of it and shows what still waits.
  async function flush(slot) {
    const kept = await vault;
    const { item, result } = await offline.alone(kept, async () => {
      const waiting = await kept.get("waiting", slot);
      return offline.send(kept, slot, waiting ? fresh(waiting) : "");
    });
    if (words.slot === slot) ticket = { text: "", at: 0 };
    if (!item) {
      // Another tab or the worker has sent it.
      const receipt = await kept.marked("sent", slot);
      if (receipt && document.getElementById("waiting-" + slot)) location.assign(receipt);
      return { kind: receipt ? "sent" : "nothing" };
    }
    if (result.kind === "received") {
      if (here(item)) {
        hide(slot);
        location.assign(item.receipt);
      }
      return result;
    }
    await show(item, result);
    if (result.kind === "later") again(result.after);
    return result;
  }

  async function flushAll() {
    clearTimeout(timer);
    for (const item of await (await vault).all("waiting")) await flush(item.slot);
  }

  // Sooner at first, then rarely, never all phones at the same moment.
  function again(after) {
    clearTimeout(timer);
    const wait = Math.max(after, Math.min(300, 5 * Math.pow(2, turn)));
    turn += 1;
    timer = setTimeout(flushAll, wait * 1000 * (1 + Math.random() / 2));
    if (navigator.serviceWorker) navigator.serviceWorker.ready.then((worker) => (worker.sync ? worker.sync.register("anxiao-send") : undefined)).catch(() => {});
  }
  const afresh = () => { turn = 0; return flushAll(); };

  async function begin() {
    const kept = await vault;
    for (const item of await kept.all("waiting")) {
      const shown = document.querySelector('[data-done="' + item.round + '"]');
      const arrived = (words.arrived || []).concat(shown ? shown.dataset.keys.split(" ") : []);
      if (arrived.indexOf(item.key) >= 0) await offline.settle(kept, item);
      else await show(item, item.ended || { kind: "later", status: 0 });
    }
    await flushAll();
  }

  window.addEventListener("online", afresh);
  document.addEventListener("visibilitychange", () => { if (!document.hidden) afresh(); });
  window.addEventListener("pageshow", (event) => { if (event.persisted && home) location.reload(); });
  window.addEventListener("beforeunload", (event) => {
    if (document.querySelector("[data-passing]")) { event.preventDefault(); event.returnValue = ""; }
  });

  // ---- a kept copy of this page ----

  const kept = document.documentElement.dataset.kept;
  if (kept) {
    const bar = document.getElementById("kept");
    if (bar) {
      const stale = words.day && words.day !== day(Date.now());
      bar.querySelector("p").textContent = say(stale ? words.kept_stale : words.kept, { at: clock(kept) });
      bar.hidden = false;
      const old = home || document.getElementById("sheet");
      if (stale && old) old.hidden = true;
    }
  }

  // ---- the worker, and leaving ----

  async function leave() {
    const workers = navigator.serviceWorker && navigator.serviceWorker.controller;
    if (workers) workers.postMessage({ leave: true });
    if (window.caches) await caches.keys().then((names) => Promise.all(names.filter((name) => name.indexOf("anxiao-pages") === 0).map((name) => caches.delete(name))));
    await (await vault).forget();
  }

  document.querySelectorAll("form[data-leave]").forEach((form) => {
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      const waiting = (await (await vault).all("waiting")).filter((item) => !item.ended || item.ended.kind === "closed");
      if (waiting.length && !window.confirm(words.leave_sure)) return;
      await Promise.race([leave(), new Promise((resolve) => setTimeout(resolve, 2000))]).catch(() => {});
      HTMLFormElement.prototype.submit.call(form);
    });
  });

  if (navigator.serviceWorker) {
    navigator.serviceWorker.register(words.home + "worker.js").catch(() => {});
    navigator.serviceWorker.addEventListener("message", (event) => {
      if (event.data.settled) flushAll().then(() => { if (document.getElementById("waiting-" + event.data.settled)) flush(event.data.settled); });
      // The page itself came after all, while its kept copy was already shown.
      if (event.data.fresh === location.pathname && kept && !document.querySelector("[data-touched]")) location.reload();
    });
    // Kept for the moment without a network: this page, when no worker was there yet to see it, and the forms that are due.
    navigator.serviceWorker.ready.then((worker) => {
      const wanted = Array.from(document.querySelectorAll("[data-due] a[data-form]")).map((link) => link.getAttribute("href"));
      if (!navigator.serviceWorker.controller) wanted.push(words.home, location.pathname);
      if (wanted.length && !kept && worker.active) worker.active.postMessage({ keep: wanted, language: document.documentElement.lang });
    }).catch(() => {});
  }

  begin();
  return { words, vault, flush, show, hide, alone: offline.alone };
})();
