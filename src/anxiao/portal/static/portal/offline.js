// What waits on this phone, and how it reaches the platform. The pages and the worker load it; it knows no page.
// Kept only encrypted: AES-GCM with a key that the browser keeps and hands to nobody, bound to person, kind and round.
(function (here) {
  "use strict";
  const STORES = ["keys", "kept", "marks"];
  const LEASE = 90000; // longer than one delivery may take: four requests of twenty seconds
  const OLD_MARK = 3 * 24 * 3600 * 1000;
  const OLD_DRAFT = 36 * 3600 * 1000;
  const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

  const answered = (request) => new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
  const done = (transaction) => new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve();
    transaction.onabort = transaction.onerror = () => reject(transaction.error);
  });

  // Some browsers never answer in a private window: then nothing is kept.
  function opened() {
    const open = new Promise((resolve, reject) => {
      const request = here.indexedDB.open("anxiao", 1);
      request.onupgradeneeded = () => {
        request.result.createObjectStore("keys", { keyPath: "person" });
        request.result.createObjectStore("kept", { keyPath: "id" });
        request.result.createObjectStore("marks", { keyPath: "id" });
      };
      request.onsuccess = () => {
        request.result.onversionchange = () => request.result.close();
        resolve(request.result);
      };
      request.onerror = request.onblocked = () => reject(request.error || new Error("blocked"));
    });
    return Promise.race([open, pause(3000).then(() => Promise.reject(new Error("silent")))]);
  }

  // Two tabs may make a key at once: the one that is stored first is the key of both.
  async function keyOf(database, person) {
    const found = await answered(database.transaction("keys").objectStore("keys").get(person));
    if (found) return found.key;
    const made = await here.crypto.subtle.generateKey({ name: "AES-GCM", length: 256 }, false, ["encrypt", "decrypt"]);
    const transaction = database.transaction("keys", "readwrite");
    const keys = transaction.objectStore("keys");
    const first = await answered(keys.get(person));
    if (!first) keys.put({ person, key: made });
    await done(transaction);
    return first ? first.key : made;
  }

  function lasting(database, key, person) {
    // Somebody may clear the browser's store under an open page: then it begins anew, with another key.
    async function begin(store, mode) {
      try {
        return database.transaction(store, mode);
      } catch (e) {
        database = await opened();
        key = await keyOf(database, person);
        return database.transaction(store, mode);
      }
    }
    const idOf = (kind, slot) => [person, kind, slot].join("|");
    const sealing = (kind, slot, iv) => ({ name: "AES-GCM", iv, additionalData: new TextEncoder().encode("anxiao.1|" + idOf(kind, slot)) });

    async function change(store, work) {
      const transaction = await begin(store, "readwrite");
      const result = work(transaction.objectStore(store));
      await done(transaction);
      return result;
    }
    const rows = async (store) => answered((await begin(store, "readonly")).objectStore(store).getAll());
    const remove = (store, unwanted) => rows(store).then((all) => change(store, (at) => {
      all.filter(unwanted).forEach((row) => at.delete(row[at.keyPath]));
    }));

    // What cannot be opened is not ours, or damaged: the platform's "not reported" still tells the truth.
    async function read(row) {
      try {
        const raw = await here.crypto.subtle.decrypt(sealing(row.kind, row.slot, row.iv), key, row.data);
        return JSON.parse(new TextDecoder().decode(raw));
      } catch (e) {
        return null;
      }
    }

    const self = {
      lasting: true,
      async put(kind, slot, value) {
        const iv = here.crypto.getRandomValues(new Uint8Array(12));
        const data = await here.crypto.subtle.encrypt(sealing(kind, slot, iv), key, new TextEncoder().encode(JSON.stringify(value)));
        await change("kept", (at) => at.put({ id: idOf(kind, slot), person, kind, slot, iv, data }));
      },
      async get(kind, slot) {
        const row = await answered((await begin("kept", "readonly")).objectStore("kept").get(idOf(kind, slot)));
        return row ? read(row) : null;
      },
      drop: (kind, slot) => change("kept", (at) => at.delete(idOf(kind, slot))),
      async all(kind) {
        const found = (await rows("kept")).filter((row) => row.person === person && row.kind === kind);
        const values = await Promise.all(found.map(read));
        return values.filter((value) => value);
      },
      // A mark holds no answer: the key that several tabs agree on, or that a report has arrived.
      async mark(name, slot, value) {
        const transaction = await begin("marks", "readwrite");
        const marks = transaction.objectStore("marks");
        const id = idOf(name, slot);
        const first = await answered(marks.get(id));
        if (!first) marks.put({ id, person, value, at: Date.now() });
        await done(transaction);
        return first ? first.value : value;
      },
      async marked(name, slot) {
        const row = await answered((await begin("marks", "readonly")).objectStore("marks").get(idOf(name, slot)));
        return row ? row.value : null;
      },
      unmark: (name, slot) => change("marks", (at) => at.delete(idOf(name, slot))),
      // Where the browser has no locks: whoever writes the lease first may send, until it ends.
      async lease(holder, give) {
        const transaction = await begin("marks", "readwrite");
        const marks = transaction.objectStore("marks");
        const stands = await answered(marks.get("lease"));
        const free = !stands || stands.value === holder || !(stands.at > Date.now() && stands.at < Date.now() + 2 * LEASE);
        if (free && give) marks.delete("lease");
        else if (free) marks.put({ id: "lease", person: "", value: holder, at: Date.now() + LEASE });
        await done(transaction);
        return free;
      },
      // This phone is this person's now: nothing of anybody else stays, and no old draft.
      async only() {
        await remove("keys", (row) => row.person !== person);
        await remove("kept", (row) => row.person !== person);
        await remove("marks", (row) => (row.person !== person || row.at < Date.now() - OLD_MARK) && row.id !== "lease");
        for (const draft of await self.all("draft")) if (!(draft.at > Date.now() - OLD_DRAFT)) await self.drop("draft", draft.slot);
      },
      async forget() {
        for (const store of STORES) await change(store, (at) => at.clear());
      },
    };
    return self;
  }

  // A private window, an old web view, a page without https: held while the page is open and never written anywhere.
  function passing() {
    const held = new Map();
    const marks = new Map();
    let holder = null;
    const as = (kind, slot) => kind + "|" + slot;
    return {
      lasting: false,
      put: async (kind, slot, value) => { held.set(as(kind, slot), JSON.stringify(value)); },
      get: async (kind, slot) => (held.has(as(kind, slot)) ? JSON.parse(held.get(as(kind, slot))) : null),
      drop: async (kind, slot) => { held.delete(as(kind, slot)); },
      all: async (kind) => Array.from(held.keys()).filter((id) => id.indexOf(kind + "|") === 0).map((id) => JSON.parse(held.get(id))),
      mark: async (name, slot, value) => { if (!marks.has(as(name, slot))) marks.set(as(name, slot), value); return marks.get(as(name, slot)); },
      marked: async (name, slot) => (marks.has(as(name, slot)) ? marks.get(as(name, slot)) : null),
      unmark: async (name, slot) => { marks.delete(as(name, slot)); },
      lease: async (who, give) => {
        const free = holder === null || holder === who;
        if (free) holder = give ? null : who;
        return free;
      },
      only: async () => {},
      forget: async () => { held.clear(); marks.clear(); },
    };
  }

  async function vault(person) {
    if (!here.indexedDB || !here.crypto || !here.crypto.subtle || !here.TextEncoder) return passing();
    try {
      const database = await opened();
      // Some private windows open a store and refuse to fill it: then making the key fails.
      return lasting(database, await keyOf(database, String(person)), String(person));
    } catch (e) {
      return passing();
    }
  }

  // Whose reports wait here. Only the worker asks: a page knows whose it is.
  async function people() {
    if (!here.indexedDB) return [];
    const rows = await opened().then((database) => answered(database.transaction("kept").objectStore("kept").getAll()));
    return Array.from(new Set(rows.filter((row) => row.kind === "waiting").map((row) => row.person)));
  }

  // One sender at a time on this phone, whatever the number of tabs, workers and taps.
  async function alone(kept, work) {
    if (here.navigator.locks) return here.navigator.locks.request("anxiao-send", work);
    const me = String(Math.random());
    for (let turn = 0; turn < 2 * LEASE / 500; turn += 1) {
      if (await kept.lease(me, false)) {
        try { return await work(); } finally { await kept.lease(me, true); }
      }
      await pause(500);
    }
    return work(); // whoever held it is gone; the platform itself keeps one report a round
  }

  // ---- the way to the platform ----

  // status 0: nobody answered, or somebody who is not the platform (a hotel's own page).
  async function ask(item, path, options) {
    const stop = here.AbortController ? new AbortController() : null;
    const timer = setTimeout(() => { if (stop) stop.abort(); }, 20000);
    try {
      const answer = await fetch(path, Object.assign({ credentials: "same-origin", signal: stop ? stop.signal : undefined }, options));
      const text = await answer.text();
      let body = {};
      try { body = JSON.parse(text); } catch (e) { /* a page */ }
      return { status: answer.status, body, text, url: answer.url, redirected: answer.redirected, header: (name) => answer.headers.get(name) };
    } catch (e) {
      return { status: 0, body: {}, text: "", url: "", redirected: false, header: () => null };
    } finally {
      clearTimeout(timer);
    }
  }

  const headers = (item) => ({
    "Accept-Language": item.language,
    "X-Anxiao": "1",
    // whose report this is: another who signed in meanwhile must not be given these answers
    "X-Anxiao-Person": String(item.person),
  });

  const today = (item) => ask(item, "/intake/v1/today?have=" + encodeURIComponent(item.etag || ""), { headers: headers(item) });

  const post = (item, ticket) => {
    const body = {
      ticket, round: item.round, form_version: item.form_version, key: item.key,
      answers: item.answers, unchanged: item.unchanged, captured_at: item.captured_at,
    };
    if (item.reason !== undefined) body.reason = item.reason;
    return ask(item, item.door, {
      method: "POST",
      headers: Object.assign({ "Content-Type": "application/json" }, headers(item)),
      body: JSON.stringify(body),
    });
  };

  const later = (seen) => ({ kind: "later", status: seen.status, after: Number(seen.header("Retry-After")) || 0 });
  const received = (receipt) => ({ kind: "received", receipt });
  const other = (receipt, edited) => ({ kind: "other", receipt: receipt || null, edited: Boolean(edited) });

  // The pass may have run out while the session has not: any page brings a new one.
  async function greet(item) {
    const seen = await ask(item, item.home, { headers: { "X-Anxiao": "1" } });
    if (seen.status === 0 || seen.status >= 500) return "later";
    return !seen.redirected && seen.status === 200 && seen.header("X-Anxiao-Person") === String(item.person) ? "known" : "sign_in";
  }

  // The rounds of today do not name this one any more: its own page still tells what became of it.
  async function elsewhere(item) {
    const seen = await ask(item, item.page, {});
    if (seen.status === 409) return { kind: "closed" };
    if (seen.status === 404) return { kind: "refused", message: "" };
    if (seen.status !== 200) return later(seen);
    const path = seen.url.replace(/^https?:\/\/[^/]+/, "").replace(/[?#].*$/, "");
    if (path === item.receipt) return seen.text.indexOf(item.key) >= 0 ? received(null) : other(null);
    if (path !== item.page) return { kind: "sign_in" };
    const ticket = /"ticket": "([^"]+)"/.exec(seen.text);
    return ticket ? { kind: "ticket", ticket: ticket[1] } : { kind: "closed" };
  }

  // A fresh ticket, or what makes one needless.
  async function renew(item) {
    const seen = await today(item);
    if (seen.status === 401) return { kind: "unknown" };
    if (seen.status !== 200 || !Array.isArray(seen.body.rounds)) return later(seen);
    const found = seen.body.rounds.find((round) => round.id === item.round);
    if (!found) return elsewhere(item);
    const own = [found.receipt, found.correction].find((receipt) => receipt && receipt.key === item.key);
    if (own) return received(own);
    if (item.n === 0 && found.receipt) return other(found.receipt);
    if (item.n === 0 && found.state === "missed") return { kind: "closed", closed_at: found.closes_at };
    if (found.form_version !== item.form_version) return { kind: "changed" };
    return found.ticket ? { kind: "ticket", ticket: found.ticket } : elsewhere(item);
  }

  function judged(item, seen) {
    const code = seen.body.code;
    const receipt = seen.body.receipt;
    if (seen.status === 200 || seen.status === 201) return receipt && receipt.number ? received(receipt) : later({ status: 0, header: () => null });
    if (seen.status === 409 && receipt) return receipt.key === item.key && code !== "key_reused" ? received(receipt) : other(receipt, code === "key_reused");
    if (seen.status === 422 && code === "closed") return { kind: "closed" };
    if (code === "form_changed" || code === "ticket_wrong") return { kind: "changed" };
    if (seen.status === 0 || seen.status === 408 || seen.status === 429 || seen.status >= 500 || !code) return later(seen);
    return { kind: "refused", message: seen.body.message || "", problems: seen.body.problems || [] };
  }

  // Try once. What comes of it: received | other (somebody else's report stands) | later | sign_in | closed |
  // changed (the form or the round moved) | refused (message, problems).
  async function deliver(item, held) {
    let ticket = held;
    let greeted = false;
    let wrong = false;
    for (let step = 0; step < 6; step += 1) {
      const outcome = ticket ? null : await renew(item);
      if (outcome && outcome.kind === "ticket") ticket = outcome.ticket;
      else if (outcome && outcome.kind !== "unknown") return outcome;
      const seen = ticket ? await post(item, ticket) : null;
      if (!seen || seen.status === 401) {
        if (greeted) return { kind: "sign_in" };
        greeted = true;
        const known = await greet(item);
        if (known !== "known") return known === "later" ? later({ status: 0, header: () => null }) : { kind: "sign_in" };
      } else if (seen.body.code === "ticket_expired") ticket = "";
      else if (seen.body.code === "ticket_wrong" && !wrong) { wrong = true; ticket = ""; }
      else return judged(item, seen);
    }
    return later({ status: 0, header: () => null });
  }

  async function settle(kept, item) {
    await kept.mark("sent", item.slot, item.receipt);
    await kept.drop("waiting", item.slot);
    await kept.drop("draft", item.slot);
  }

  // Send what waits for a round; {item, result}, or nulls when nothing waits (any more). Inside `alone`.
  async function send(kept, slot, ticket) {
    const item = await kept.get("waiting", slot);
    if (!item || item.ended) return { item, result: item ? item.ended : null };
    const result = await deliver(item, ticket);
    if (result.kind === "received") await settle(kept, item);
    else if (result.kind !== "later" && result.kind !== "sign_in") await kept.put("waiting", slot, Object.assign({}, item, { ended: result }));
    return { item, result };
  }

  here.anxiaoOffline = { vault, people, alone, send, settle, deliver };
})(self);
