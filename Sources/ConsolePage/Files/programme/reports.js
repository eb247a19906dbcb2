// Reports as charts and tables, each to be saved as CSV. What a version does not know yet is left out, and said.

import { ask, isYes, keys, number, Refused, text, word } from "/base/api.js";
import { bars } from "/base/charts.js";
import { problem } from "/base/dialog.js";
import { button, field, h, panel, put, replace, select, waiting } from "/base/dom.js";
import { count, saveCSV } from "/base/format.js";
import { memberLink } from "/programme/members.js";
import { table } from "/base/table.js";
import { t } from "/base/words.js";

export function reportsPage(view) {
  put(view, h("h1", null, t("Reports")), booksPanel(), duePanel(), pointsPanel(), settlementPanel());
}
function save(name, rows) {
  const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  return button("CSV", () => saveCSV(name, columns, rows.map((row) => columns.map((key) => row[key]))), { class: "quiet small" });
}
/// Asks, and shows what comes; a verb that is not there yet is no error.
async function fill(place, commands, show) {
  replace(place, waiting(t("Asking the node …")));
  try {
    const replies = await ask(...commands);
    const refused = replies.find((reply) => reply instanceof Refused);
    if (refused?.isUnknownVerb) return void replace(place, h("p", { class: "empty" }, t("This version has no such report yet.")));
    if (refused) throw refused;
    replace(place, show(...replies));
  } catch (error) { replace(place, problem(error)); }
}
function booksPanel() {
  const place = h("div");
  fill(place, ["AUDIT"], (records) => {
    const total = records.find((record) => isYes(record.total)) ?? {};
    const shards = records.filter((record) => record.shard !== undefined);
    const rows = shards.filter((shard) => number(shard.members)).sort((a, b) => b.members - a.members).slice(0, 12);
    return [h("p", { class: `notice ${isYes(total.balanced) ? "good" : "bad"}` }, isYes(total.balanced)
      ? t("The books balance: {0} members, {1} transactions.", count(number(total.members)), count(number(total.transactions))) : t("The books do not balance.")),
    rows.length ? [h("h3", null, t("Members by shard")), bars(rows.map((row) => ({ name: t("Shard {0}", row.shard), value: number(row.members) })), count)] : null, h("div", { class: "row end" }, save("audit", shards))];
  });
  return panel(t("The books"), null, place);
}
function duePanel() {
  const today = new Date().toISOString().slice(0, 10);
  const kind = select([["birthday", t("birthday")], ["anniversary", t("anniversary")], ["expiry", t("expiry")], ["dormant", t("dormant")]]);
  const on = h("input", { type: "date", value: today, required: true }), days = h("input", { type: "text", inputmode: "numeric", value: "7" });
  const place = h("div", { "aria-live": "polite" });
  const form = h("form", { class: "form inline", onsubmit: (event) => {
    event.preventDefault();
    fill(place, [`DUE${keys({ kind: kind.value, on: on.value, days: days.value, limit: 1000 })}`], (records) => {
      const rows = records.filter((record) => record.member !== undefined);
      if (rows.length === 0) return h("p", { class: "empty" }, t("Nobody, in these days."));
      return [table(rows, { render: { member: (row) => memberLink(text(row.member)) } }), h("div", { class: "row end" }, save(`due-${kind.value}`, rows))];
    });
  } }, field(t("What"), kind), field(t("From"), on), field(t("Days"), days), h("button", { type: "submit" }, t("List")));
  return panel(t("Whom to write to"), null, form, place);
}
function programForm(place, more, lines) {
  const program = h("input", { type: "text", required: true, autocomplete: "off", spellcheck: "false" });
  ask("PROGRAM LIST limit=1").then(([reply]) => { if (Array.isArray(reply) && reply[0] && !program.value) program.value = text(reply[0].program); }).catch(() => {});
  return h("form", { class: "form inline", onsubmit: (event) => {
    event.preventDefault();
    try { lines(word(program.value)); } catch (error) { replace(place, problem(error)); }
  } }, field(t("Program"), program), more, h("button", { type: "submit" }, t("Show")));
}
function pointsPanel() {
  const place = h("div", { "aria-live": "polite" });
  const by = select(["month", "day", "merchant", "org", "region", "tier", "class"].map((name) => [name, t(name)]));
  const measure = select(["issued", "redeemed", "expired", "refunded", "transferred", "adjusted", "outstanding"].map((name) => [name, t(name)]));
  return panel(t("Points"), null, programForm(place, [field(t("By"), by), field(t("Chart of"), measure)], (program) =>
    fill(place, [`REPORT points ${program}${keys({ by: by.value })}`, `REPORT liability ${program}`], (records, liability) => {
      const rows = [records].flat();
      const name = (row) => text(row[by.value] ?? row.key ?? Object.values(row)[0]) || t("operator");
      return [bars(rows.slice(0, 40).map((row) => ({ name: name(row), value: number(row[measure.value]) ?? 0 })), count), table(rows),
        h("h3", null, t("Liability")), table([liability].flat()), h("div", { class: "row end" }, save(`points-by-${by.value}`, rows))];
    })), place);
}
function settlementPanel() {
  const place = h("div", { "aria-live": "polite" });
  const period = h("input", { type: "text", placeholder: "2026-11", autocomplete: "off" });
  return panel(t("Settlement"), null, programForm(place, field(t("Period (empty: the running one)"), period), (program) =>
    fill(place, [period.value.trim() ? `SETTLE SHOW ${program}${keys({ period: period.value.trim() })}` : `SETTLE OPEN ${program}`], (records) => {
      const rows = [records].flat();
      const parties = rows.filter((row) => row.party !== undefined);
      return [bars(parties.slice(0, 40).map((row) => ({ name: text(row.party), value: number(row.net) ?? 0 })), (value) => (value / 100).toFixed(2)), table(rows), h("div", { class: "row end" }, save("settlement", rows))];
    })), place);
}
