// The page as a whole: who is signed in, which page is shown, language, light and keys.

import { ask, begin, endSession, isSignedIn, Refused, signIn, text } from "/base/api.js";
import { casesPage } from "/programme/cases.js";
import { campaignsPage } from "/programme/campaigns.js";
import { clusterPage } from "/cluster/overview.js";
import { button, field, h, mark, put, replace, say } from "/base/dom.js";
import { isHealthy, live, start, stop, watch } from "/cluster/live.js";
import { managePage } from "/cluster/manage.js";
import { memberPage, membersPage, search } from "/programme/members.js";
import { reportsPage } from "/programme/reports.js";
import { rulesPage } from "/programme/rulespage.js";
import { simulatorPage } from "/programme/simulator.js";
import { transactionPage } from "/programme/transaction.js";
import { language, setLanguage, t } from "/base/words.js";

const root = document.getElementById("root");
const pages = {
  cluster: clusterPage, manage: managePage, members: membersPage, member: memberPage, tx: transactionPage, rules: rulesPage,
  simulator: simulatorPage, campaigns: campaignsPage, cases: casesPage, reports: reportsPage,
};
const menu = [["Cluster", [["cluster", "Overview"], ["manage", "Manage"]]],
  ["Programme", [["members", "Members"], ["rules", "Rules"], ["simulator", "Simulator"], ["campaigns", "Campaigns"], ["cases", "Cases"], ["reports", "Reports"]]]];
/// Ends the page that is shown, and the frame's look at the health.
let leave = null, unwatch = null;
let user = null;

// MARK: Light and language

const stored = (name) => { try { return localStorage.getItem(name); } catch { return null; } };
const store = (name, value) => { try { localStorage.setItem(name, value); } catch { /* For this visit, then. */ } };
const prefersLight = matchMedia("(prefers-color-scheme: light)");
function light() {
  const chosen = stored("light");
  mark(document.documentElement, "data-light", chosen ?? (prefersLight.matches ? "day" : "night"));
}
prefersLight.addEventListener("change", light);
function switchLight() {
  store("light", document.documentElement.dataset.light === "day" ? "night" : "day");
  light();
  say(lightButton, t(document.documentElement.dataset.light === "day" ? "Dark" : "Light"));
}
let lightButton = null;
function switches() {
  lightButton = button(t(document.documentElement.dataset.light === "day" ? "Dark" : "Light"), switchLight, { class: "quiet" });
  const other = language() === "zh" ? "en" : "zh";
  return h("span", { class: "switches" }, lightButton,
    button(other === "zh" ? "中文" : "English", () => { store("language", other); chooseLanguage(); render(); }, { class: "quiet", lang: other }));
}
function chooseLanguage() {
  setLanguage(stored("language") ?? ((navigator.languages?.[0] ?? navigator.language).toLowerCase().startsWith("zh") ? "zh" : "en"));
  document.documentElement.lang = language() === "zh" ? "zh-Hans" : "en";
}

// MARK: Signing in

/// - why: "wrong" or "over"; else nobody has signed in yet.
function showSignIn(why) {
  stop();
  leave?.();
  leave = null;
  document.querySelectorAll("dialog").forEach((dialog) => dialog.close());
  const former = why === "wrong" ? user : null;
  user = null;
  const name = h("input", { type: "text", autocomplete: "username", required: true, autocapitalize: "none", spellcheck: "false" });
  const secret = h("input", { type: "password", autocomplete: "current-password", required: true });
  const trouble = h("p", { class: "notice bad", role: "alert", hidden: !why }, t(why === "over" ? "The session has ended." : "Wrong user or secret."));
  const form = h("form", { class: "sign-in panel", onsubmit: async (event) => {
    event.preventDefault();
    user = name.value;
    try {
      await signIn(name.value, secret.value);
    } catch (error) {
      if (error instanceof Refused && ["NOAUTH", "WRONGPASS"].includes(error.code)) return showSignIn("wrong");
      trouble.hidden = false;
      return say(trouble, error instanceof Refused ? `${error.code} ${error.message}` : t("no answer"));
    }
    await enter(trouble);
  } }, h("h1", null, "Tallystick"), trouble, field(t("User"), name), field(t("Secret"), secret),
    h("button", { type: "submit", class: "main" }, t("Sign in")), switches());
  replace(root, h("main", { class: "door" }, form));
  name.value = former ?? "";
  (former ? secret : name).focus();
}
/// Asks who this is; a node without users takes everybody.
async function enter(trouble) {
  try {
    const [who] = await ask("WHOAMI");
    if (who instanceof Refused && ["NOAUTH", "WRONGPASS"].includes(who.code)) return showSignIn(isSignedIn() ? "over" : null);
    user = who instanceof Refused ? user : text(who.user) ? `${text(who.user)} · ${text(who.role)}` : user;
    start();
    render();
  } catch (error) {
    if (error instanceof Refused) {
      // Who this is was not settled, and is asked for by now.
      if (["NOAUTH", "WRONGPASS"].includes(error.code)) return;
      if (trouble) {
        trouble.hidden = false;
        return say(trouble, `${error.code} ${error.message}`);
      }
    }
    // The node does not answer: that is shown, and asked again.
    start();
    render();
  }
}

// MARK: Pages

function frame() {
  const box = h("input", {
    type: "search", placeholder: t("Member, card, mail or transaction"), "aria-label": t("Search"), autocomplete: "off", spellcheck: "false", class: "search",
  });
  const find = h("form", { role: "search", onsubmit: async (event) => {
    event.preventDefault();
    if (!box.value.trim()) return;
    mark(box, "aria-invalid", null);
    const found = await search(box.value.trim()).catch(() => null);
    if (found) { box.value = ""; box.blur(); location.hash = found; } else { mark(box, "aria-invalid", "true"); say(outcome, t("Nobody has that.")); }
  } }, box, h("kbd", { "aria-hidden": "true" }, "/"));
  const outcome = h("span", { class: "outcome", role: "status" });
  box.addEventListener("input", () => { mark(box, "aria-invalid", null); say(outcome, ""); });
  const pulse = h("a", { href: "#/cluster", class: "pulse" }, h("span", { class: "dot", "aria-hidden": "true" }), h("span", { class: "word" }));
  const links = h("nav", { "aria-label": t("Pages") }, menu.map(([title, items]) => h("div", { class: "group" }, h("span", { class: "title" }, t(title)),
    items.map(([name, label]) => h("a", { href: `#/${name}`, "data-page": name }, t(label))))));
  const view = h("main", { id: "view", tabindex: "-1" });
  replace(root, h("a", { href: "#view", class: "skip", onclick: (event) => { event.preventDefault(); view.focus(); } }, t("Skip to the page")),
    h("header", { class: "top" }, h("a", { href: "#/cluster", class: "brand" }, "Tallystick"), pulse, find, outcome,
      h("span", { class: "who" }, user ?? "", isSignedIn() ? button(t("Sign out"), () => { endSession(); showSignIn(null); }, { class: "quiet" }) : null, switches())),
    links, view);
  unwatch?.();
  unwatch = watch(() => {
    const isWell = isHealthy();
    pulse.hidden = !live.status && live.silentSince === null;
    mark(pulse, "class", `pulse ${isWell ? "good" : "bad"}`);
    say(pulse.lastChild, live.silentSince !== null ? t("no answer") : isWell ? t("healthy") : t("not healthy"));
  });
  return view;
}
function render() {
  leave?.();
  leave = null;
  const view = frame();
  show(view);
}
function show(view) {
  leave?.();
  leave = null;
  view.replaceChildren();
  view.removeAttribute("data-stale");
  const [name, ...rest] = location.hash.replace(/^#\/?/, "").split("/").map(decodeURIComponent);
  const page = pages[name] ? name : "cluster";
  const section = { member: "members", tx: "members" }[page] ?? page;
  for (const link of document.querySelectorAll("nav a")) mark(link, "aria-current", link.dataset.page === section ? "page" : null);
  document.querySelector("nav a[aria-current]")?.scrollIntoView({ block: "nearest", inline: "nearest" });
  mark(view, "data-page", page);
  document.title = `${t(menu.flatMap(([, items]) => items).find(([key]) => key === section)?.[1] ?? "")} · Tallystick`;
  leave = pages[page](view, ...rest) ?? null;
}
addEventListener("hashchange", () => {
  const view = document.getElementById("view");
  if (!view) return;
  const outcome = document.querySelector(".outcome");
  if (outcome) say(outcome, "");
  show(view);
  scrollTo(0, 0);
  view.focus({ preventScroll: true });
});
addEventListener("keydown", (event) => {
  const isTyping = event.target.closest?.("input, textarea, select");
  if (event.key === "/" && !isTyping && !event.ctrlKey && !event.metaKey && !document.querySelector("dialog[open]")) {
    event.preventDefault();
    document.querySelector(".search")?.focus();
  } else if (event.key === "Escape" && event.target.matches?.(".search")) {
    event.target.value = "";
    event.target.blur();
  }
});

chooseLanguage();
light();
begin(showSignIn);
put(root, h("p", { class: "door faint" }, t("Asking the node …")));
enter(null);
