// Members: finding them, and the file of one: balance with its lots, history, notes.

import { ask, keys, list, number, one, Refused, requestID, text, word } from "/base/api.js";
import { sparkline } from "/base/charts.js";
import { confirm, problem } from "/base/dialog.js";
import { button, field, h, panel, put, replace, select, waiting } from "/base/dom.js";
import { count, moment, money, saveCSV, signed } from "/base/format.js";
import { heading, table } from "/base/table.js";
import { t } from "/base/words.js";

/// What a search leads to, as the page's address; null: nobody has that.
export async function search(words) {
  if (/^\d+-\d+$/.test(words)) return `#/tx/${words}`;
  const candidates = /^[a-z]+:/i.test(words) ? [words]
    : words.includes("@") ? [`mail:${words}`, words] : [words, `card:${words}`, `phone:${words}`, `login:${words}`];
  const replies = await ask(...candidates.map((who) => `MEMBER SHOW ${word(who)}`));
  const found = replies.find((reply) => !(reply instanceof Refused));
  return found ? `#/member/${encodeURIComponent(text(found.member))}` : null;
}
export const memberLink = (id) => h("a", { href: `#/member/${encodeURIComponent(id)}` }, id);
export const txLink = (tx) => h("a", { class: "tx", href: `#/tx/${encodeURIComponent(tx)}` }, tx);
export const statePill = (state) =>
  h("span", { class: `state ${{ active: "good", frozen: "warn", closed: "bad", running: "good", draft: "", stopped: "bad", open: "live", waiting: "warn", approved: "good", rejected: "bad" }[state] ?? ""}` }, t(state));

// MARK: All

const COLUMNS = ["member", "name", "state", "class", "tier", "region", "cards", "since"];
export function membersPage(view) {
  const asked = { class: h("input", { type: "text" }), tag: h("input", { type: "text" }), region: h("input", { type: "text" }), tier: h("input", { type: "text" }),
    state: select([["", t("any")], ["active", t("active")], ["frozen", t("frozen")], ["closed", t("closed")]]) };
  const place = h("div", { "aria-live": "polite" });
  const who = h("input", { type: "search", autocomplete: "off", spellcheck: "false" });
  const form = h("form", { class: "form inline", onsubmit: (event) => { event.preventDefault(); find(); } },
    field(t("Class"), asked.class), field(t("Tag"), asked.tag), field(t("Tier"), asked.tier), field(t("Region"), asked.region), field(t("State"), asked.state),
    h("button", { type: "submit" }, t("List")));
  const direct = h("form", { class: "form inline", onsubmit: async (event) => {
    event.preventDefault();
    if (!who.value.trim()) return;
    try {
      const found = await search(who.value.trim());
      if (found) location.hash = found;
      else replace(place, h("p", { class: "notice" }, t("Nobody has that.")));
    } catch (error) { replace(place, problem(error)); }
  } }, field(t("Member, card, mail or transaction"), who), h("button", { type: "submit", class: "main" }, t("Find")));
  put(view, h("h1", null, t("Members")), panel(t("Find one"), null, direct), panel(t("List those that have"), null, form, place));

  async function find(after) {
    const values = Object.fromEntries(Object.entries(asked).map(([name, input]) => [name, input.value.trim()]));
    if (!after) replace(place);
    const more = place.querySelector(".more-button");
    more?.remove();
    try {
      const reply = await one(`MEMBER FIND${keys({ ...values, limit: 50, after })}`);
      const rows = reply.filter((record) => record.member !== undefined);
      const cursor = text(reply.find((record) => record.cursor !== undefined)?.cursor);
      if (rows.length === 0 && !after) return void put(place, h("p", { class: "empty" }, t("Nobody has that.")));
      put(place, table(rows, { columns: COLUMNS, render: { member: (row) => memberLink(text(row.member)), state: (row) => statePill(text(row.state)) } }));
      if (cursor) put(place, button(t("More"), () => find(cursor), { class: "more-button" }));
    } catch (error) { put(place, problem(error)); }
  }
}

// MARK: One

export function memberPage(view, id) {
  if (!id) return membersPage(view);
  put(view, waiting(t("Asking the node …")));
  load();
  async function load() {
    try {
      const who = word(id);
      const [file, balances, ...rest] = await ask(`MEMBER SHOW ${who}`, `BALANCE ${who} all=yes`, `MEMBER NOTES ${who}`, `HISTORY ${who} limit=50`);
      if (file instanceof Refused) throw file;
      const programs = balances instanceof Refused ? [] : [balances].flat();
      const lots = programs.length ? await ask(...programs.map((one) => `BALANCE ${who} expiring=yes${keys({ program: text(one.program) })}`)) : [];
      const tiers = programs.length ? await ask(...programs.map((one) => `MEMBER TIER ${who}${keys({ program: text(one.program) })}`)) : [];
      replace(view, head(file, load), h("div", { class: "member" },
        h("div", { class: "balances" }, programs.map((balance, i) => balancePanel(balance, lots[i], tiers[i]))), h("div", { class: "movements" }, history(id, rest[1])),
        h("div", { class: "about-member" }, filePanel(file), notesPanel(id, rest[0], load))));
    } catch (error) { replace(view, h("h1", null, id), problem(error)); }
  }
}
function head(file, reload) {
  const id = text(file.member), state = text(file.state);
  const change = (verb, title, about, isGrave) => button(title, () =>
    confirm(title, about, title, async () => { await one(`MEMBER ${verb} ${word(id)}${keys({ id: requestID() })}`); reload(); }, isGrave), { class: "quiet" });
  return h("header", { class: "page-head" }, h("div", null, h("h1", null, text(file.name) || id),
    h("p", null, h("span", { class: "faint" }, id), " ", statePill(state), " ", text(file.tier) ? h("span", { class: "state live" }, text(file.tier)) : null)),
  h("div", { class: "row" }, h("a", { class: "button", href: `#/simulator/${encodeURIComponent(id)}` }, t("Simulate a purchase")),
    state === "frozen" ? change("THAW", t("Thaw"), t("The member may move points again."))
      : state === "active" ? change("FREEZE", t("Freeze"), t("The member moves no points until it is thawed.")) : null));
}
function balancePanel(balance, lots, tier) {
  const figures = [["available", "big"], ["balance"], ["held"], ["pending"], ["debt"]]
    .filter(([key]) => key === "available" || key === "balance" || number(balance[key]));
  const rows = (Array.isArray(lots) ? lots : []).filter((lot) => number(lot.points));
  const whole = rows.reduce((sum, lot) => sum + number(lot.points), 0);
  return panel(text(balance.program), null,
    h("dl", { class: "figures-list" }, figures.map(([key, mark]) => h("div", { class: mark }, h("dt", null, heading(key)), h("dd", null, count(number(balance[key])))))),
    tier && !(tier instanceof Refused) ? tierLine(tier) : null,
    rows.length ? [h("h3", null, t("Lots, by when they end")), h("div", { class: "lots", role: "img", "aria-label": t("Lots, by when they end") }, rows.map((lot, i) => {
      const part = h("span", { class: `lot lot${Math.min(i, 4)}` });
      part.style.flexGrow = String(number(lot.points) / whole);
      return part;
    })), h("ul", { class: "lot-list" }, rows.slice(0, 12).map((lot, i) => h("li", null, h("span", { class: `swatch lot lot${Math.min(i, 4)}` }),
      h("span", { class: "n" }, count(number(lot.points))), moment(lot.expires, { day: true }))))] : null);
}
function tierLine(tier) {
  const [have, needed] = [number(tier.qualifying), number(tier.needed)];
  if (!text(tier.tier)) return null;
  return h("p", { class: "tier" }, t("Tier {0}", text(tier.tier)), number(tier.since) ? [" · ", t("since"), " ", moment(tier.since, { day: true })] : null,
    text(tier.next) && needed !== null ? ` · ${t("{0} more to {1}", count(needed), text(tier.next))}` : have !== null ? ` · ${t("{0} so far", count(have))}` : "");
}
function filePanel(file) {
  const skipped = new Set(["member", "name", "state", "tier", "asof"]);
  const rows = Object.entries(file).filter(([key, value]) => !skipped.has(key) && list(value).length > 0);
  return panel(t("File"), null, h("dl", { class: "facts-list" }, rows.map(([key, value]) => h("div", null, h("dt", null, key.startsWith("x.") ? key.slice(2) : heading(key)),
    h("dd", null, key === "since" ? moment(value) : key === "cards" || key === "aliases" || key === "tags" ? list(value).join(", ") : String(value))))));
}
function notesPanel(id, notes, reload) {
  const write = () => {
    const kind = h("input", { type: "text", value: "visit", required: true }), words = h("textarea", { rows: "4", maxlength: "1024" });
    confirm(t("Write a note"), h("div", { class: "form" }, field(t("Kind"), kind), field(t("Text"), words)), t("Write"), async () => {
      await one(`MEMBER NOTE ${word(id)}${keys({ kind: kind.value, text: words.value.replace(/\s+/g, " ").trim(), id: requestID() })}`);
      reload();
    });
  };
  return panel(t("Notes"), { tools: button(t("Write a note"), write, { class: "quiet small" }) },
    notes instanceof Refused ? problem(notes) : notes.length === 0 ? h("p", { class: "empty" }, t("No notes."))
      : h("ul", { class: "notes" }, notes.map((note) => h("li", null, h("strong", null, text(note.kind)), " ", h("span", { class: "faint" }, moment(note.at, { short: true })), h("p", null, text(note.text))))));
}
const MOVED = ["time", "kind", "points", "balance", "tx", "merchant", "spend", "details"];
function history(id, first) {
  const place = h("div"), curve = h("div");
  const shown = [];
  const save = button("CSV", () => saveCSV(`history-${id}`, ["time", "tx", "kind", "program", "points", "balance", "merchant", "spend", "request"],
    shown.map((row) => [new Date(row.time).toISOString(), row.tx, row.kind, row.program, row.points, row.balance, row.merchant, row.spend, row.request])), { class: "quiet small" });
  const element = panel(t("History"), { tools: save }, curve, place);
  add(first);
  return element;
  function add(reply) {
    if (reply instanceof Refused) return void put(place, problem(reply));
    const rows = reply.filter((row) => row.tx !== undefined);
    shown.push(...rows);
    if (shown.length === 0) return void put(place, h("p", { class: "empty" }, t("Nothing has moved yet.")));
    const known = shown.filter((row) => text(row.program) === text(shown[0].program) && number(row.balance) !== null);
    replace(curve, known.length > 1 ? sparkline(known.map((row) => number(row.balance)).reverse(), t("The balance after each movement")) : null);
    const rest = reply.find((row) => row.more !== undefined);
    const before = rest ? text(rest.before) : rows.length === 50 ? text(rows.at(-1).tx) : null;
    replace(place, movedTable(shown));
    if (before) put(place, button(t("Older"), async () => {
      try { add(await one(`HISTORY ${word(id)}${keys({ limit: 50, before })}`)); } catch (error) { put(place, problem(error)); }
    }, { class: "more-button" }));
  }
}
function movedTable(rows) {
  const programs = new Set(rows.map((row) => text(row.program)));
  const details = (row) => [
    text(row.event) && t("event {0}", text(row.event)), text(row.of) && t("of {0}", text(row.of)), text(row.to) && t("to {0}", text(row.to)),
    text(row.from) && t("from {0}", text(row.from)), number(row.capped) && t("{0} cut off", count(number(row.capped))), number(row.held) && t("{0} held", count(number(row.held))),
    text(row.reason), text(row.tier) && t("Tier {0}", text(row.tier)), text(row.by) && t("by {0}", text(row.by)), programs.size > 1 && text(row.program),
  ].filter(Boolean).join(" · ");
  return table(rows, {
    columns: MOVED, label: t("History"),
    render: {
      tx: (row) => txLink(text(row.tx)), kind: (row) => h("span", { class: "tx" }, t(text(row.kind).replaceAll("-", " "))), spend: (row) => money(number(row.spend)) || " ",
      points: (row) => h("span", { class: number(row.points) < 0 ? "minus" : number(row.points) > 0 ? "plus" : "faint" }, signed(number(row.points))),
      details: (row) => details(row) || " ",
    },
  });
}
