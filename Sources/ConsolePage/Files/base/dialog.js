// Dialogs: a window, a question before something is done, and what went wrong.

import { Refused } from "/base/api.js";
import { button, h, put, replace } from "/base/dom.js";
import { t } from "/base/words.js";

/// A modal dialog; Escape closes it, and the focus goes back to where it was.
export function open(title, ...content) {
  const former = document.activeElement;
  const close = () => dialog.close();
  const body = h("div", { class: "body" }, content);
  const dialog = h("dialog", { "aria-label": title },
    h("header", { class: "head" }, h("h2", null, title), button("✕", close, { class: "quiet", "aria-label": t("Close") })), body);
  dialog.addEventListener("close", () => {
    dialog.remove();
    former?.isConnected && former.focus();
    dialog.ended?.();
  });
  dialog.addEventListener("click", (event) => { if (event.target === dialog) close(); });
  document.body.append(dialog);
  dialog.showModal();
  return { dialog, body, close };
}
export function problem(error) {
  const code = error instanceof Refused ? error.code : t("No answer");
  return h("p", { class: "notice bad", role: "alert" }, h("strong", null, code), " ", error.message, explained(error));
}
function explained(error) {
  const known = {
    UNAVAILABLE: "Nothing was done. Try again.", BUSY: "Nothing was done. Try again.",
    UNKNOWN: "It may have been done: look before you do it again.", NOPERM: "Your role may not do this.",
  }[error.code];
  return known ? h("small", null, t(known)) : null;
}

/// A question before something is done that has no plan.
export function confirm(title, about, deed, act, isGrave) {
  const { body, close } = open(title);
  const place = h("div");
  const go = button(deed, async () => {
    go.disabled = true;
    try {
      await act();
      close();
    } catch (error) {
      go.disabled = false;
      replace(place, problem(error));
    }
  }, { class: isGrave ? "main grave" : "main" });
  put(body, typeof about === "string" ? h("p", null, about) : about, place, h("div", { class: "row end" }, button(t("Cancel"), close), go));
  return { body, close };
}
