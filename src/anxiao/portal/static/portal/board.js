// A board keeps itself fresh: a stream puts the figures that changed where they stand (data-live), and htmx fetches the
// whole part with the numbers rarely, for what a stream does not carry: order, rows, links, the curve. Without a stream
// it fetches it every 15 seconds. No request while nobody looks or while something in the part is open, and an honest
// word when the figures are not of now.
(() => {
  "use strict";
  const OFTEN = 15000;
  const RARELY = 60000;
  const ROWS = 10000; // rows come and go: not a whole part each second
  const part = () => document.getElementById("numbers");
  const format = (number) => number.toLocaleString("en-US");
  if (!part() || !part().hasAttribute("hx-get")) return;
  const day = part().dataset.day;

  let how = ""; // as live.js says it
  let told = null; // everything the stream has told, with the moment at which it was true
  let fetched = Date.now();

  // -- putting figures where they stand

  function write(place, text) {
    const inner = place.querySelector("a") || place;
    const before = inner.textContent;
    if (before === text) return;
    inner.textContent = text;
    if (place.dataset.liveMark) place.classList.toggle(place.dataset.liveMark, text !== "0");
    const link = place.closest("a[aria-label]");
    const label = link && link.getAttribute("aria-label");
    if (label && label.endsWith(before)) link.setAttribute("aria-label", label.slice(0, label.length - before.length) + text);
  }

  const TONES = ["good", "late", "missing", "exempt"];

  function draw(bar, numbers) {
    const known = numbers.map((number) => Math.max(0, number));
    const total = known.reduce((sum, number) => sum + number, 0);
    const words = [];
    let at = 0;
    TONES.forEach((tone, index) => {
      const width = total ? (known[index] * 100) / total : 0;
      const shape = bar.querySelector("svg[role] .ax-fill_" + tone);
      if (!shape) return;
      const hatch = tone === "missing" ? shape.nextElementSibling : null;
      for (const one of hatch ? [shape, hatch] : [shape]) {
        one.setAttribute("x", at.toFixed(3) + "%");
        one.setAttribute("width", width.toFixed(3) + "%");
      }
      const title = shape.querySelector("title");
      const name = title.textContent.slice(0, title.textContent.lastIndexOf(" "));
      title.textContent = name + " " + format(known[index]);
      words.push(name + " " + known[index]);
      at += width;
    });
    bar.querySelector("svg[role]").setAttribute("aria-label", words.join(", "));
    bar.querySelectorAll(".ax-legend b").forEach((number, index) => (number.textContent = format(known[index])));
  }

  function put(cells, bars) {
    for (const place of part().querySelectorAll("[data-live]")) {
      const text = cells[place.dataset.live];
      if (text !== undefined) write(place, text);
    }
    for (const bar of part().querySelectorAll("[data-live-bar]")) {
      const numbers = bars[bar.dataset.liveBar];
      if (numbers) draw(bar, numbers);
    }
  }

  function moment(at) {
    const place = part().querySelector("[data-live-at]");
    if (!place || place.dataset.liveAt >= at) return;
    place.textContent = place.textContent.replace(place.dataset.liveAt, at);
    place.dataset.liveAt = at;
  }

  function count() {
    part().dataset.missing = String(told.missing);
    names();
  }

  function names() {
    const card = document.getElementById("names");
    const note = card && card.querySelector("[data-changed]");
    if (note) note.hidden = part().dataset.missing === card.dataset.count;
  }

  function say() {
    part().classList.toggle("is-live", how === "live");
    part().classList.toggle("is-lost", how === "lost");
  }

  window.axLive({
    address: () => (part() && part().dataset.ticket ? "/streams/board?ticket=" + encodeURIComponent(part().dataset.ticket) : ""),
    figures: (news) => {
      if (!part()) return;
      told = { ...news, cells: { ...(told && told.cells), ...news.cells }, bars: { ...(told && told.bars), ...news.bars } };
      put(news.cells, news.bars);
      moment(news.at);
      count();
      if (news.rows !== part().dataset.rows && Date.now() - fetched > ROWS) renew();
    },
    alive: (at) => {
      if (!part()) return;
      if (told) told.at = at;
      moment(at);
    },
    state: (name) => {
      how = name;
      if (part()) say();
    },
  });

  // -- the whole part

  function renew() {
    fetched = Date.now();
    if (part()) window.htmx.trigger(part(), "anew");
  }

  setInterval(() => {
    if (document.hidden || !part()) return;
    const rows = told && how === "live" && told.rows !== part().dataset.rows;
    if (Date.now() - fetched >= (rows ? ROWS : how === "live" ? RARELY : OFTEN)) renew();
  }, 1000);

  document.addEventListener("htmx:beforeRequest", (event) => {
    const box = event.target;
    if (!box || box.id !== "numbers") return;
    const rest = document.getElementById("hours-rest");
    if (document.hidden || box.querySelector("details[open]") || (rest && rest.querySelector("details[open]"))) event.preventDefault();
  });

  for (const name of ["htmx:sendError", "htmx:responseError", "htmx:timeout"])
    document.addEventListener(name, (event) => {
      if (event.target && event.target.id === "numbers" && how !== "live") event.target.classList.add("is-lost");
    });

  // A session that has ended answers with the sign-in page: reload, so that the person sees why nothing moves.
  document.addEventListener("htmx:beforeSwap", (event) => {
    if (event.target && event.target.id === "numbers" && event.detail.serverResponse.indexOf('id="numbers"') < 0) {
      event.detail.shouldSwap = false;
      window.location.reload();
    }
  });

  document.addEventListener("htmx:afterSettle", () => {
    // Left open over midnight, the page speaks of yesterday above the numbers of today: begin again.
    if (part() && part().dataset.day !== day) {
      window.location.reload();
      return;
    }
    document.dispatchEvent(new CustomEvent("ax:redraw"));
    if (!part()) return;
    part().classList.toggle("is-live", how === "live");
    const place = part().querySelector("[data-live-at]");
    // the stream may have told of something later than what the part was made of, and will not repeat it
    if (told && how === "live" && place && told.at >= place.dataset.liveAt) {
      put(told.cells, told.bars);
      moment(told.at);
      count();
    } else names();
  });
})();
