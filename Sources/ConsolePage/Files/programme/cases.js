// Cases that wait for a decision.

import { ask, keys, number, one, Refused, requestID, text, word } from "/base/api.js";
import { confirm, problem } from "/base/dialog.js";
import { button, field, h, put, replace, select, waiting } from "/base/dom.js";
import { count, moment } from "/base/format.js";
import { memberLink, statePill, txLink } from "/programme/members.js";
import { t } from "/base/words.js";

export function casesPage(view) {
  const place = h("div", { "aria-live": "polite" });
  const state = select([["waiting", t("waiting")], ["open", t("open")], ["approved", t("approved")], ["rejected", t("rejected")], ["", t("all")]]);
  state.setAttribute("aria-label", t("State"));
  state.addEventListener("change", load);
  put(view, h("header", { class: "page-head" }, h("h1", null, t("Cases")), state), place);
  load();
  async function load() {
    replace(place, waiting(t("Asking the node …")));
    try {
      const [reply] = await ask(`CASE LIST${keys({ state: state.value, limit: 200 })}`);
      if (reply instanceof Refused) {
        if (!reply.isUnknownVerb) throw reply;
        return void replace(place, h("p", { class: "empty large" }, t("This version has no cases yet.")));
      }
      const cases = reply.filter((record) => record.case !== undefined);
      replace(place, cases.length === 0 ? h("p", { class: "empty large" }, t("Nothing waits to be decided.")) : h("div", { class: "cards" }, cases.map((one) => card(one, load))));
    } catch (error) { replace(place, problem(error)); }
  }
}
function card(record, reload) {
  const id = text(record.case), state = text(record.state);
  const mayDecide = ["open", "waiting"].includes(state);
  const skipped = new Set(["case", "state", "kind", "member", "tx", "points", "opened", "time", "by", "reason", "note", "asof"]);
  return h("article", { class: "panel card case", "aria-label": t("Case {0}", id) },
    h("header", { class: "head" }, h("h2", null, t(text(record.kind) || "case"), " ", id), statePill(state)),
    h("p", null, text(record.member) ? memberLink(text(record.member)) : null, text(record.tx) ? [" · ", txLink(text(record.tx))] : null,
      number(record.points) ? ` · ${t("{0} points", count(number(record.points)))}` : "", text(record.direction) ? ` · ${t(text(record.direction))}` : ""),
    text(record.reason) ? h("p", null, text(record.reason)) : null, text(record.note) ? h("p", { class: "quote" }, text(record.note)) : null,
    h("p", { class: "faint" }, text(record.by) ? t("opened by {0}", text(record.by)) : "", " ", number(record.opened ?? record.time) ? moment(record.opened ?? record.time, { short: true }) : ""),
    h("p", { class: "faint" }, Object.entries(record).filter(([key, value]) => !skipped.has(key) && text(value) !== "").map(([key, value]) => `${key} ${value}`).join(" · ")),
    mayDecide ? h("div", { class: "row end" }, decide("REJECT", t("Reject"), id, reload, true), decide("APPROVE", t("Approve"), id, reload)) : null);
}
function decide(verb, title, id, reload, isGrave) {
  return button(title, () => {
    const note = h("textarea", { rows: "3", maxlength: "256" });
    const request = requestID();
    confirm(`${title}: ${t("Case {0}", id)}`, h("div", { class: "form" },
      h("p", null, verb === "APPROVE" ? t("An approved adjustment is posted; an approved return or abuse takes the points that are held.") : t("What is held for the case is released.")),
      field(t("Note"), note)), title, async () => {
      await one(`CASE ${verb} ${word(id)}${keys({ note: note.value.replace(/\s+/g, " ").trim(), id: request })}`);
      reload();
    }, isGrave);
  }, { class: isGrave ? "" : "main" });
}
