/* Sign-in pages. A passkey that was cancelled or refused is told in words instead of silence. */
(function () {
  "use strict";
  document.addEventListener("allauth.error", (event) => {
    const said = document.getElementById("entrance-problem");
    if (!said) return;
    event.preventDefault();
    said.hidden = false;
  });
  // a device without passkeys is not offered one
  if (!window.PublicKeyCredential)
    for (const id of ["passkey_login", "mfa_webauthn_authenticate"]) {
      const button = document.getElementById(id);
      if (button) button.hidden = true;
    }
})();
