// A board keeps itself fresh: htmx asks for the part with the numbers every 15 seconds. This file only sees to manners:
// no request while nobody looks or while something in the part is open, and an honest word when the network is gone.
(() => {
  "use strict";
  const part = () => document.getElementById("numbers");

  document.addEventListener("htmx:beforeRequest", (event) => {
    const box = event.target;
    if (!box || box.id !== "numbers") return;
    const rest = document.getElementById("hours-rest");
    if (document.hidden || box.querySelector("details[open]") || (rest && rest.querySelector("details[open]"))) event.preventDefault();
  });

  for (const name of ["htmx:sendError", "htmx:responseError", "htmx:timeout"])
    document.addEventListener(name, (event) => {
      if (event.target && event.target.id === "numbers") event.target.classList.add("is-lost");
    });

  // A session that has ended answers with the sign-in page: reload, so that the person sees why nothing moves.
  document.addEventListener("htmx:beforeSwap", (event) => {
    if (event.target && event.target.id === "numbers" && event.detail.serverResponse.indexOf('id="numbers"') < 0) {
      event.detail.shouldSwap = false;
      window.location.reload();
    }
  });

  // Left open over midnight, the page speaks of yesterday above the numbers of today: begin again.
  const day = part() && part().dataset.day;

  document.addEventListener("htmx:afterSettle", () => {
    if (part() && part().dataset.day !== day) {
      window.location.reload();
      return;
    }
    document.dispatchEvent(new CustomEvent("ax:redraw"));
    const names = document.getElementById("names");
    if (!names || !part()) return;
    const note = names.querySelector("[data-changed]");
    if (note) note.hidden = part().dataset.missing === names.dataset.count;
  });
})();
