/* A file that is too large is refused before it travels, and the field shows that a file may be dropped on it. Without
   this script the field works as every file field does, and the server says the same. */
(function () {
  "use strict";
  for (const field of document.querySelectorAll("input[type=file][data-drop]")) {
    const over = (on) => field.classList.toggle("is-over", on);
    field.addEventListener("dragenter", () => over(true));
    field.addEventListener("dragleave", () => over(false));
    field.addEventListener("drop", () => over(false));
    field.addEventListener("change", () => {
      const file = field.files[0];
      const large = file && file.size > Number(field.dataset.largest);
      field.setCustomValidity(large ? field.dataset.tooLarge : "");
      field.reportValidity();
    });
    // The form asks for no check of its own, because the server says everything in the reader's language; this one counts.
    field.form.addEventListener(
      "submit",
      (event) => {
        if (field.checkValidity() || !field.validity.customError) return;
        event.preventDefault();
        field.reportValidity();
      },
      true,
    );
  }
})();
