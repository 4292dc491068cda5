// The form: shows only what applies, keeps a draft (encrypted, as all that is kept), sends through the intake door, puts
// errors beside the fields.
// Without this file the same form is sent to Django and judged there by the same rules.
(() => {
  "use strict";
  const { words, vault, flush, alone } = window.anxiao;
  const form = document.getElementById("report");
  const send = document.getElementById("send");
  const same = document.getElementById("same");
  const slot = words.slot;
  const copied = "kept" in document.documentElement.dataset;
  const questions = Array.from(form.querySelectorAll(".ph-q")).map((box) => ({
    box,
    key: box.dataset.key,
    kind: box.dataset.kind,
    required: "required" in box.dataset,
    when: box.dataset.when ? JSON.parse(box.dataset.when) : null,
    fields: Array.from(box.querySelectorAll("input, select, textarea")),
  }));
  // The judge goes through the form in its order, and a folded question may stand before an open one.
  const order = words.order;
  questions.sort((a, b) => order.indexOf(a.key) - order.indexOf(b.key));

  function answerOf(question) {
    const chosen = question.fields.filter((f) => (f.type === "radio" || f.type === "checkbox") && f.checked);
    if (question.kind === "multiple") return chosen.length ? chosen.map((f) => f.value) : undefined;
    if (question.kind === "single" || question.kind === "yes_no") {
      const value = chosen.length ? chosen[0].value : "";
      if (!value) return undefined;
      return question.kind === "yes_no" ? value === "true" : value;
    }
    const text = question.fields[0].value.trim();
    return text || undefined;
  }

  // The same reading as questionnaires.compiled.holds; "otherwise" is what a carried answer comes to.
  function applies(when, answers) {
    if (!when) return true;
    if (when.all) return when.all.every((part) => applies(part, answers));
    if (when.any) return when.any.some((part) => applies(part, answers));
    if (when.not) return !applies(when.not, answers);
    const answer = answers[when.question];
    if (answer === undefined) return when.otherwise === true;
    if ("equals" in when) return answer === when.equals;
    if (when.in) return when.in.indexOf(answer) >= 0;
    return when.has_any.some((code) => answer.indexOf(code) >= 0);
  }

  function look() {
    const answers = {};
    questions.forEach((question) => {
      const on = applies(question.when, answers);
      question.box.toggleAttribute("data-off", !on);
      question.on = on;
      if (!on) return;
      const answer = answerOf(question);
      if (answer !== undefined) answers[question.key] = answer;
    });
    form.querySelectorAll(".ph-block").forEach((block) => {
      const inside = block.querySelectorAll(".ph-q");
      if (inside.length) block.toggleAttribute("data-off", !Array.from(inside).some((box) => !("off" in box.dataset)));
    });
    return answers;
  }

  const ticked = (f) => f.type === "radio" || f.type === "checkbox";

  function draft() {
    const values = {};
    questions.forEach((question) => {
      values[question.key] = question.fields.map((f) => (ticked(f) ? { value: f.value, on: f.checked } : { value: f.value, on: true }))
        .filter((field) => field.on && field.value !== "").map((field) => field.value);
    });
    return { slot, at: Date.now(), version: words.version, values, reason: form.elements.reason ? form.elements.reason.value : "" };
  }

  // One writing at a time; what was typed meanwhile is written next.
  let writing = null;
  let dirty = false;
  function keep() {
    dirty = true;
    if (!writing) {
      writing = (async () => {
        const kept = await vault;
        while (dirty) {
          dirty = false;
          try { await kept.put("draft", slot, draft()); } catch (e) { /* a full store keeps no draft */ }
        }
        writing = null;
      })();
    }
    return writing;
  }

  // By question and option, so that a newer form takes over what it still asks.
  async function restore() {
    const kept = await vault;
    if (!copied) await kept.unmark("sent", slot);
    const found = await kept.get("draft", slot);
    if (!found || "touched" in form.dataset) return;
    questions.forEach((question) => {
      const values = found.values[question.key];
      if (!values) return;
      const known = question.fields.filter((f) => ticked(f) && values.indexOf(f.value) >= 0);
      if (ticked(question.fields[0])) { if (known.length) question.fields.forEach((f) => { f.checked = known.indexOf(f) >= 0; }); }
      else if (values.length) {
        const before = question.fields[0].value;
        question.fields[0].value = values[0];
        if (question.fields[0].value !== values[0]) question.fields[0].value = before;
      }
    });
    if (form.elements.reason) form.elements.reason.value = found.reason || "";
    const note = document.getElementById("restored");
    if (found.moved || found.version !== words.version) note.textContent = words.form_moved;
    note.hidden = false;
    look();
  }

  function mark(name, text) {
    const box = document.getElementById("q-" + name);
    const error = document.getElementById("e-" + name);
    if (!box || !error) return false;
    error.textContent = text;
    box.querySelectorAll("input, select, textarea").forEach((f) => { if (text) f.setAttribute("aria-invalid", "true"); else f.removeAttribute("aria-invalid"); });
    if (text && same && same.contains(box)) same.open = true;
    return true;
  }

  function complain(problems, message) {
    const unplaced = problems.filter((p) => !mark(p.field, p.message)).map((p) => p.message);
    document.getElementById("whole").hidden = false;
    document.getElementById("whole-text").textContent = [message || words.not_sent].concat(unplaced).join(" ");
    const first = form.querySelector(".weui-error:not(:empty)");
    const target = first ? first.closest(".weui-cell").querySelector("input, select, textarea") : null;
    if (target) { target.focus({ preventScroll: true }); first.closest(".weui-cell").scrollIntoView({ block: "center" }); }
    else document.getElementById("whole").scrollIntoView({ block: "center" });
  }

  form.addEventListener("input", (event) => {
    const field = event.target;
    if (field.type === "checkbox" && field.checked) {
      // 自觉正常 stands alone: choosing it clears the others, choosing another clears it.
      const alone = "alone" in field.dataset;
      form.querySelectorAll('input[type="checkbox"][name="' + field.name + '"]').forEach((other) => {
        if (other !== field && (alone || "alone" in other.dataset)) other.checked = false;
      });
    }
    mark(field.name, "");
    if (!form.querySelector(".weui-error:not(:empty)")) document.getElementById("whole").hidden = true;
    form.dataset.touched = "";
    look();
    keep();
  });

  form.addEventListener("change", (event) => {
    const field = event.target;
    // 365 typed without its point can only mean 36.5; shown at once, so that it can be objected to.
    if (field.name === words.temperature && /^[34]\d\d$/.test(field.value.trim())) {
      field.value = field.value.trim().replace(/^(\d\d)(\d)$/, "$1.$2");
      keep();
    }
  });

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (send.disabled) return;
    const answers = look();
    questions.forEach((question) => mark(question.key, ""));
    const missing = questions.filter((q) => q.on && q.required && answers[q.key] === undefined).map((q) => ({ field: q.key, message: words.required }));
    const reason = form.elements.reason ? form.elements.reason.value.trim() : undefined;
    if (reason === "") missing.push({ field: "reason", message: words.required });
    if (missing.length) return complain(missing);
    send.disabled = true;
    const label = send.textContent;
    send.textContent = words.sending;
    const again = (problems, message) => {
      send.disabled = false;
      send.textContent = label;
      complain(problems, message);
    };
    await keep();
    const kept = await vault;
    const item = {
      slot, n: words.n, person: words.person, round: words.round, form_version: words.version, etag: words.etag, answers,
      unchanged: Boolean(form.elements.unchanged), captured_at: new Date().toISOString(), reason,
      door: words.door, receipt: words.receipt, page: location.pathname, home: words.home, language: document.documentElement.lang,
      deadline_at: words.deadline_at, closes_at: words.closes_at,
    };
    // Written down before it is sent: a page that is closed in the middle loses nothing. The key is the same in every tab.
    const sent = await alone(kept, async () => {
      if (await kept.marked("sent", slot)) return true;
      item.key = await kept.mark("key", slot, form.elements.key.value);
      await kept.put("waiting", slot, item);
      return false;
    });
    const result = sent ? { kind: "sent" } : await flush(slot);
    if (result.kind === "sent") return window.anxiao.show(item, { kind: "other", receipt: null });
    if (result.kind === "changed") {
      await kept.drop("waiting", slot);
      if (!kept.lasting) return again([], words.changed);
      await kept.put("draft", slot, Object.assign(draft(), { moved: true }));
      delete form.dataset.touched;
      return location.reload();
    }
    if (result.kind === "refused") {
      await kept.drop("waiting", slot);
      window.anxiao.hide(slot);
      return again(result.problems || [], result.message);
    }
    send.textContent = label;
    send.disabled = false;
    return undefined;
  });

  restore();
  look();
})();
