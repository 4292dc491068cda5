// The form: shows only what applies, keeps a draft, sends through the intake door, puts errors beside the fields.
// Without this file the same form is sent to Django and judged there by the same rules.
(() => {
  "use strict";
  const { words, store, draftKey, post, arrived, mayComeLater, wait } = window.anxiao;
  const form = document.getElementById("report");
  const send = document.getElementById("send");
  const same = document.getElementById("same");
  const key = form.elements.key;
  const DRAFT = draftKey(words.round) + (words.door.indexOf("corrections") > 0 ? ":c" : "");
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

  function keep() {
    const values = {};
    questions.forEach((question) => {
      values[question.key] = question.fields.map((f) => (f.type === "radio" || f.type === "checkbox" ? f.checked : f.value));
    });
    store.set(DRAFT, { at: Date.now(), key: key.value, version: words.version, values, reason: form.elements.reason ? form.elements.reason.value : "" });
  }

  function restore() {
    const draft = store.get(DRAFT);
    if (!draft || draft.version !== words.version) return;
    questions.forEach((question) => {
      const values = draft.values[question.key];
      if (!values || values.length !== question.fields.length) return;
      question.fields.forEach((f, i) => { if (f.type === "radio" || f.type === "checkbox") f.checked = values[i]; else f.value = values[i]; });
    });
    if (form.elements.reason) form.elements.reason.value = draft.reason || "";
    // The same key: should an earlier attempt have arrived after all, this one is recognised as its repetition.
    key.value = draft.key;
    document.getElementById("restored").hidden = false;
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
    keep();
    send.disabled = true;
    const label = send.textContent;
    send.textContent = words.sending;
    const body = { round: words.round, form_version: words.version, key: key.value, answers, unchanged: Boolean(form.elements.unchanged), captured_at: new Date().toISOString() };
    if (reason !== undefined) body.reason = reason;
    const result = await post(words.door, body);
    if (arrived(result.status)) { store.drop(DRAFT); location.href = words.receipt; return; }
    if (result.status === 401) {
      // The pass has run out but the session may not have: the plain way asks for the sign-in where it is needed.
      HTMLFormElement.prototype.submit.call(form);
      return;
    }
    if (mayComeLater(result.status) && wait({ door: words.door, body, receipt: words.receipt, page: location.pathname }, result)) return;
    send.disabled = false;
    send.textContent = label;
    complain(result.body.problems || [], result.body.message);
  });

  restore();
  look();
})();
