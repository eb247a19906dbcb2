// Reports as charts and tables, each to be saved as CSV. What a version does not know yet is left out, and said.

import { ask, isYes, keys, number, Refused, text, word } from "/base/api.js";
import { bars, columns } from "/base/charts.js";
import { problem } from "/base/dialog.js";
import { button, field, h, panel, put, replace, select, waiting } from "/base/dom.js";
import { count, saveCSV } from "/base/format.js";
import { memberLink } from "/programme/members.js";
import { table } from "/base/table.js";
import { t } from "/base/words.js";

export function reportsPage(view) {
  put(view, h("h1", null, t("Reports")), pointsPanel(), membersPanel(), duePanel(), booksPanel(), settlementPanel());
}
function save(name, rows) {
  const names = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  return button("CSV", () => saveCSV(name, names, rows.map((row) => names.map((key) => row[key]))), { class: "quiet small" });
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
/// - begin: it is shown as soon as a program is known.
function programForm(place, more, lines, begin) {
  const program = h("input", { type: "text", required: true, autocomplete: "off", spellcheck: "false" });
  const show = () => { try { lines(word(program.value)); } catch (error) { replace(place, problem(error)); } };
  ask("PROGRAM LIST limit=1").then(([reply]) => {
    if (!Array.isArray(reply) || !reply[0] || program.value) return;
    program.value = text(reply[0].program);
    if (begin && program.isConnected) show();
  }).catch(() => {});
  return h("form", { class: "form inline", onsubmit: (event) => { event.preventDefault(); show(); } },
    field(t("Program"), program), more, h("button", { type: "submit" }, t("Show")));
}
const TIMES = ["day", "month"];
/// Those in between on which nothing moved, too: an axis of time has no gaps.
function gapless(rows, by) {
  if (rows.length === 0) return rows;
  const known = new Map(rows.map((row) => [row.name, row]));
  const all = [];
  const at = new Date(`${rows[0].name}${by === "month" ? "-01" : ""}T00:00:00Z`);
  for (let left = 1_500; left > 0; left--) {
    const name = at.toISOString().slice(0, by === "month" ? 7 : 10);
    all.push(known.get(name) ?? { name, value: 0 });
    if (name === rows.at(-1).name) return all;
    if (by === "month") at.setUTCMonth(at.getUTCMonth() + 1); else at.setUTCDate(at.getUTCDate() + 1);
  }
  return rows;
}
function chart(rows, by, measure) {
  const label = t(measure);
  return TIMES.includes(by) ? columns(gapless(rows, by), count, label) : bars(rows.slice(0, 40), count);
}
function pointsPanel() {
  const place = h("div", { "aria-live": "polite" });
  const by = select(["day", "month", "merchant", "org", "region", "tier", "class"].map((name) => [name, t(name)]));
  const measure = select(["issued", "redeemed", "expired", "refunded", "transferred", "adjusted", "outstanding"].map((name) => [name, t(name)]));
  const from = h("input", { type: "date" }), until = h("input", { type: "date" });
  const more = [field(t("By"), by), field(t("Chart of"), measure), field(t("From"), from), field(t("Before"), until)];
  return panel(t("Points"), null, programForm(place, more, (program) =>
    fill(place, [`REPORT points ${program}${keys({ by: by.value, from: from.value, until: until.value })}`], (records) => {
      const rows = [records].flat();
      if (rows.length === 0) return h("p", { class: "empty" }, t("Nothing has moved in that time."));
      const name = (row) => text(row[by.value]) === "operator" ? t("operator") : text(row[by.value]) || t("without");
      return [chart(rows.map((row) => ({ name: name(row), value: number(row[measure.value]) ?? 0 })), by.value, measure.value),
        table(rows), h("div", { class: "row end" }, save(`points-by-${by.value}`, rows))];
    }), true), place);
}
function membersPanel() {
  const place = h("div", { "aria-live": "polite" });
  const by = select(["class", "tier", "region", "day", "month"].map((name) => [name, t(name)]));
  const measure = select(["total", "joined", "active", "frozen", "closed"].map((name) => [name, t(name)]));
  return panel(t("Members"), null, programForm(place, [field(t("By"), by), field(t("Chart of"), measure)], (program) =>
    fill(place, [`REPORT members ${program}${keys({ by: by.value })}`], (records) => {
      const rows = [records].flat();
      if (rows.length === 0) return h("p", { class: "empty" }, t("Nobody has joined yet."));
      return [chart(rows.map((row) => ({ name: text(row[by.value]) || t("without"), value: number(row[measure.value]) ?? 0 })), by.value, measure.value),
        table(rows), h("div", { class: "row end" }, save(`members-by-${by.value}`, rows))];
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
