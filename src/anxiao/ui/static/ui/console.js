/* The console's own small script: drawer, pop-ups, confirm dialogs, copy buttons, progress polling, CSRF for htmx.
   Every page works without it; it only saves steps. */
(function () {
  "use strict";
  const root = document.documentElement;
  const byData = (event, name) => (event.target instanceof Element ? event.target.closest("[data-" + name + "]") : null);

  // Drawer. Without this script the links #menu and #main open and close it through :target.
  const side = document.getElementById("menu");
  const burger = document.querySelector("[data-drawer-open]");
  function drawer(open) {
    root.classList.toggle("drawer-open", open);
    if (burger) burger.setAttribute("aria-expanded", String(open));
    if (open && side) {
      const first = side.querySelector("[aria-current], .ax-menu a");
      if (first) first.focus();
    } else if (burger && side && side.contains(document.activeElement)) burger.focus();
  }
  if (burger) burger.setAttribute("aria-expanded", "false");

  document.addEventListener("click", (event) => {
    if (byData(event, "drawer-open")) {
      event.preventDefault();
      drawer(true);
      return;
    }
    if (byData(event, "drawer-close")) {
      event.preventDefault();
      drawer(false);
      return;
    }
    for (const pop of document.querySelectorAll("details[data-pop][open]")) if (!pop.contains(event.target)) pop.open = false;

    const opener = byData(event, "dialog");
    if (opener) {
      const dialog = document.getElementById(opener.getAttribute("data-dialog"));
      if (dialog && dialog.showModal) {
        event.preventDefault();
        dialog.showModal();
      }
      return;
    }
    const closer = byData(event, "dialog-close");
    if (closer) {
      const dialog = closer.closest("dialog");
      if (dialog) {
        event.preventDefault();
        dialog.close();
      }
      return;
    }
    const copier = byData(event, "copy");
    if (copier) {
      const source = document.getElementById(copier.getAttribute("data-copy"));
      if (source && navigator.clipboard)
        navigator.clipboard.writeText(source.value || source.textContent.trim()).then(() => {
          const said = copier.getAttribute("data-copied");
          const label = copier.querySelector("[data-copy-label]") || copier;
          if (said) label.textContent = said;
        });
      return;
    }
    if (byData(event, "print")) window.print();
  });

  // A definition opens beside its question mark, wherever the edge of the window or of a scrolling table may be. On a
  // narrow screen the style sheet puts it at the foot of the window.
  document.addEventListener(
    "toggle",
    (event) => {
      const box = event.target;
      if (!(box instanceof HTMLDetailsElement) || !box.classList.contains("ax-what")) return;
      const text = box.querySelector(".ax-what__text");
      for (const side of ["position", "left", "right", "top", "bottom", "width"]) text.style.removeProperty(side);
      if (!box.open || window.innerWidth < 600) return;
      const mark = box.querySelector("summary").getBoundingClientRect();
      const width = 300;
      box.dataset.top = mark.top;
      Object.assign(text.style, { position: "fixed", right: "auto", bottom: "auto", width: width + "px" });
      text.style.left = Math.max(8, Math.min(mark.left - 12, window.innerWidth - width - 16)) + "px";
      const below = mark.bottom + 4;
      const above = mark.top - text.offsetHeight - 4;
      text.style.top = (below + text.offsetHeight > window.innerHeight - 8 && above > 8 ? above : below) + "px";
    },
    true,
  );
  // it stays where it opened; when its question mark has moved away from it, it closes
  document.addEventListener(
    "scroll",
    () => {
      for (const box of document.querySelectorAll("details.ax-what[open]")) {
        const top = box.querySelector("summary").getBoundingClientRect().top;
        if (window.innerWidth >= 600 && Math.abs(top - Number(box.dataset.top)) > 24) box.open = false;
      }
    },
    { capture: true, passive: true },
  );

  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    if (root.classList.contains("drawer-open")) drawer(false);
    for (const pop of document.querySelectorAll("details[data-pop][open]")) {
      pop.open = false;
      pop.querySelector("summary").focus();
    }
  });

  // A form sent twice by a double click is one form: the button waits until the page answers.
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (!form.hasAttribute("data-once") || event.defaultPrevented) return;
    if (form.dataset.sent) {
      event.preventDefault();
      return;
    }
    form.dataset.sent = "1";
    for (const button of form.querySelectorAll("button[type=submit]")) button.setAttribute("aria-disabled", "true");
  });
  // Coming back with the browser's back button shows the page as it was left; let the form be sent again.
  window.addEventListener("pageshow", (event) => {
    if (!event.persisted) return;
    for (const form of document.querySelectorAll("form[data-sent]")) {
      delete form.dataset.sent;
      for (const button of form.querySelectorAll("[aria-disabled]")) button.removeAttribute("aria-disabled");
    }
  });

  // A select or date marked data-auto sends its form when it changes; the form keeps a button for everybody else.
  document.addEventListener("change", (event) => {
    const field = byData(event, "auto");
    if (field && field.form) field.form.requestSubmit();
    const all = byData(event, "check-all");
    if (all) for (const box of document.getElementsByName(all.getAttribute("data-check-all"))) if (!box.disabled) box.checked = all.checked;
  });

  // htmx 2 and 4 name the event differently; the token travels in a header in both.
  const token = document.querySelector('meta[name="csrf-token"]');
  if (token) {
    document.addEventListener("htmx:configRequest", (event) => {
      event.detail.headers["X-CSRFToken"] = token.content;
    });
    document.addEventListener("htmx:config:request", (event) => {
      event.detail.ctx.request.headers["X-CSRFToken"] = token.content;
    });
  }

  // Progress of long work: <div data-poll="/url" data-poll-every="1500"> is replaced by what the address answers, until
  // the answer no longer carries data-poll. Closing the page changes nothing; the work goes on.
  function poll(box) {
    const every = Math.max(500, Number(box.dataset.pollEvery) || 2000);
    setTimeout(async () => {
      if (!box.isConnected) return;
      if (document.hidden) return poll(box);
      try {
        const answer = await fetch(box.dataset.poll, { headers: { "X-Requested-With": "fetch" }, credentials: "same-origin" });
        if (!answer.ok) throw new Error(String(answer.status));
        if (answer.redirected) {
          window.location.assign(answer.url);
          return;
        }
        const parsed = new DOMParser().parseFromString(await answer.text(), "text/html");
        const next = parsed.getElementById(box.id) || parsed.body.firstElementChild;
        if (!next) return;
        const fresh = document.importNode(next, true);
        box.replaceWith(fresh);
        if (fresh.hasAttribute("data-poll")) poll(fresh);
        else document.dispatchEvent(new CustomEvent("ax:done", { detail: { id: fresh.id } }));
      } catch (problem) {
        box.classList.add("is-waiting");
        poll(box);
      }
    }, every);
  }
  for (const box of document.querySelectorAll("[data-poll]")) poll(box);

  // Signing out here ends what this browser keeps of the phone's pages too; the worker does it while we go.
  for (const form of document.querySelectorAll("form[data-leaves]")) {
    if (!navigator.serviceWorker || !form.dataset.leaves) continue;
    navigator.serviceWorker.getRegistration(form.dataset.leaves).then((found) => {
      if (found && found.active) form.addEventListener("submit", () => found.active.postMessage({ leave: true }));
    }).catch(() => {});
  }

  // Jump to the summary of what is wrong with a form, so that a screen reader says it first.
  const summary = document.querySelector("[data-error-summary]");
  if (summary) summary.focus();
})();
