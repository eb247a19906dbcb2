// One transaction, and how its points came about.

import { ask, number, Refused, text, word } from "/base/api.js";
import { waterfall } from "/base/charts.js";
import { problem } from "/base/dialog.js";
import { h, panel, put, replace, waiting } from "/base/dom.js";
import { count, moment, money, signed } from "/base/format.js";
import { memberLink, txLink } from "/programme/members.js";
import { stepSentence } from "/programme/rules.js";
import { heading } from "/base/table.js";
import { t } from "/base/words.js";

export function transactionPage(view, tx) {
  put(view, waiting(t("Asking the node …")));
  load();
  async function load() {
    try {
      const [shown, steps] = await ask(`TX SHOW ${word(tx)}`, `EXPLAIN ${word(tx)}`);
      if (shown instanceof Refused) throw shown;
      const record = [shown].flat()[0];
      const rules = steps instanceof Refused ? null : await rulesOf(steps);
      replace(view, h("header", { class: "page-head" }, h("div", null, h("h1", null, t("Transaction {0}", tx)),
        h("p", null, t(text(record.kind).replaceAll("-", " ")), " · ", number(record.time) ? moment(record.time) : "", " · ", text(record.member) ? memberLink(text(record.member)) : "")),
      h("p", { class: "figure" }, signed(number(record.points)))),
      panel(t("How its points came about"), null, steps instanceof Refused
        ? h("p", { class: "empty" }, steps.code === "ERR" || steps.code === "NOTFOUND" ? t("Nothing was worked out here: only a purchase or an event has steps.") : `${steps.code} ${steps.message}`)
        : explanation(steps, rules)),
      panel(t("Record"), null, facts(record)));
    } catch (error) { replace(view, h("h1", null, t("Transaction {0}", tx)), problem(error)); }
  }
}
function facts(record) {
  const rendered = {
    tx: txLink, of: txLink, member: memberLink, to: memberLink, time: moment, expires: moment, effective: moment, spend: (value) => money(number(value)),
    kind: (value) => t(text(value).replaceAll("-", " ")),
  };
  const figures = new Set(["points", "balance", "held", "left", "capped", "available"]);
  return h("dl", { class: "facts-list" }, Object.entries(record).filter(([, value]) => text(value) !== "").map(([key, value]) =>
    h("div", null, h("dt", null, heading(key)), h("dd", null, rendered[key] ? rendered[key](Array.isArray(value) ? value.join(", ") : value) : figures.has(key) ? count(number(value)) : String(value)))));
}
/// The rules that took part, by id, to be said in the page's language.
export async function rulesOf(steps) {
  const ids = [...new Set(steps.map((step) => text(step.rule)).filter((id) => id && !id.includes(":")))];
  if (ids.length === 0) return new Map();
  const replies = await ask(...ids.map((id) => `RULE SHOW ${word(id)}`));
  return new Map(replies.flatMap((reply, i) => (reply instanceof Refused ? [] : [[ids[i], reply]])));
}
/// Steps as sentences with what each gave, and the sum as it grew.
export function explanation(steps, rules) {
  const summed = steps.filter((step) => text(step.step) !== "lots").map((step) => ({ ...step, points: number(step.points) ?? 0, total: number(step.total) ?? 0 }));
  const drawn = waterfall(summed);
  return h("div", { class: "steps-box" }, h("ol", { class: "steps" }, steps.map((step) => {
    const place = summed.findIndex((one) => one.step === step.step && one.rule === step.rule && one.text === step.text);
    return h("li", null, h("span", { class: "stage" }, t(text(step.step))),
      h("span", { class: "sentence" }, stepSentence(step, rules), rules?.has(text(step.rule)) ? h("small", null, h("a", { href: `#/rules/${encodeURIComponent(text(step.rule))}` }, text(step.rule))) : null),
      place >= 0 ? [h("span", { class: `n ${summed[place].points < 0 ? "minus" : summed[place].points > 0 ? "plus" : "faint"}` }, signed(summed[place].points)),
        drawn[place], h("span", { class: "n total" }, count(summed[place].total))] : null);
  })));
}
