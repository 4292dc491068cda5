/* The sign-in page remembers the school on this phone, so that next time only number and password are asked. */
(function () {
  "use strict";
  const form = document.querySelector("[data-sign-in]");
  const school = form && form.querySelector("[data-school]");
  if (!school) return;
  const key = "anxiao-school";
  try {
    if (!school.value) school.value = localStorage.getItem(key) || "";
    form.addEventListener("submit", () => localStorage.setItem(key, school.value.trim()));
  } catch (refused) {
    // a private window keeps nothing; the form works all the same
  }
})();
