// The questionnaire on a PC: shows only what applies, and lets "I feel well" stand alone. Without this file all questions
// are shown; the judge discards what does not apply.
(() => {
  "use strict";
  const form = document.getElementById("report");
  const told = document.getElementById("question-order");
  if (!form || !told) return;
  const order = JSON.parse(told.textContent);
  const questions = Array.from(form.querySelectorAll(".cb-q")).map((box) => ({
    box,
    key: box.dataset.key,
    kind: box.dataset.kind,
    when: box.dataset.when ? JSON.parse(box.dataset.when) : null,
    fields: Array.from(box.querySelectorAll("input, select, textarea")),
  }));
  // The judge goes through the form in its order, and a folded question may stand before an open one.
  questions.sort((a, b) => order.indexOf(a.key) - order.indexOf(b.key));

  function answerOf(question) {
    const chosen = question.fields.filter((f) => (f.type === "radio" || f.type === "checkbox") && f.checked);
    if (question.kind === "multiple") return chosen.length ? chosen.map((f) => f.value) : undefined;
    if (question.kind === "single" || question.kind === "yes_no") {
      const value = chosen.length ? chosen[0].value : "";
      if (!value) return undefined;
      return question.kind === "yes_no" ? value === "true" : value;
    }
    return question.fields[0].value.trim() || undefined;
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
    for (const question of questions) {
      const on = applies(question.when, answers);
      question.box.toggleAttribute("data-off", !on);
      if (!on) continue;
      const answer = answerOf(question);
      if (answer !== undefined) answers[question.key] = answer;
    }
    for (const block of form.querySelectorAll(".cb-block"))
      block.toggleAttribute("data-off", !block.querySelector(".cb-q:not([data-off])"));
  }

  form.addEventListener("change", (event) => {
    const box = event.target;
    if (box.type === "checkbox" && box.checked)
      for (const other of form.querySelectorAll('input[type="checkbox"][name="' + box.name + '"]'))
        if (other !== box && ("alone" in box.dataset || "alone" in other.dataset)) other.checked = false;
    look();
  });
  look();
})();
