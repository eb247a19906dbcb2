// A purchase that is not made: what it would give, and why.

import { ask, keys, number, Refused, text, word } from "/base/api.js";
import { problem } from "/base/dialog.js";
import { button, field, h, panel, put, replace } from "/base/dom.js";
import { count, minorUnits, money, signed } from "/base/format.js";
import { explanation, rulesOf } from "/programme/transaction.js";
import { t } from "/base/words.js";

export function simulatorPage(view, member) {
  const input = (more) => h("input", { type: "text", autocomplete: "off", spellcheck: "false", ...more });
  const who = input({ value: member ?? "", required: true, placeholder: "ann, card:5001" });
  const merchant = h("input", { type: "text", list: "merchants", autocomplete: "off", required: true });
  const merchants = h("datalist", { id: "merchants" });
  const spend = input({ inputmode: "decimal", placeholder: "12.50" });
  const at = h("input", { type: "datetime-local" });
  const channel = input(), type = input();
  const lines = h("tbody");
  const outcome = h("div", { "aria-live": "polite" });
  const sum = h("span", { class: "n" });
  const total = () => {
    const rows = [...lines.children].map((row) => row.read());
    const amount = rows.reduce((all, row) => all + (row.amount ?? 0), 0);
    spend.disabled = rows.length > 0;
    if (rows.length) spend.value = (amount / 100).toFixed(2);
    sum.textContent = rows.length ? money(amount) : "";
  };
  const addLine = () => {
    const [sku, quantity, amount] = [input({ "aria-label": t("Product"), list: "products" }), input({ "aria-label": t("Quantity"), inputmode: "numeric", value: "1" }), input({ "aria-label": t("Amount"), inputmode: "decimal" })];
    const row = h("tr", null, h("td", null, sku), h("td", null, quantity), h("td", null, amount), h("td", null, button("✕", () => { row.remove(); total(); }, { class: "quiet small", "aria-label": t("Remove the line") })));
    row.read = () => ({ sku: sku.value.trim(), quantity: quantity.value.trim(), amount: minorUnits(amount.value) });
    amount.addEventListener("input", total);
    lines.append(row);
    total();
    sku.focus();
  };
  const products = h("datalist", { id: "products" });
  const form = h("form", { class: "form", onsubmit: (event) => { event.preventDefault(); run(); } },
    h("div", { class: "form inline" }, field(t("Member"), who), field(t("Merchant"), merchant), field(t("Spend"), spend), field(t("When (empty: now)"), at), field(t("Channel"), channel), field(t("Type"), type)),
    merchants, products,
    h("table", { class: "lines" }, h("thead", null, h("tr", null, [t("Product"), t("Quantity"), t("Amount"), ""].map((name) => h("th", { scope: "col" }, name)))), lines,
      h("tfoot", null, h("tr", null, h("td", { colspan: "2" }, button(t("Add a line"), addLine, { class: "quiet small" })), h("td", null, sum), h("td")))),
    h("div", { class: "row" }, h("button", { type: "submit", class: "main" }, t("Simulate")), h("span", { class: "faint" }, t("Nothing is booked."))));
  put(view, h("h1", null, t("Simulate a purchase")), h("div", { class: "columns even" }, panel(t("The purchase"), null, form), panel(t("What it would give"), null, outcome)));
  put(outcome, h("p", { class: "empty" }, t("Say what is bought, and where.")));
  suggest(merchants, "MERCHANT LIST limit=500", "merchant");
  suggest(products, "PRODUCT LIST limit=500", "product");

  async function run() {
    try {
      const rows = [...lines.children].map((row) => row.read()).filter((row) => row.sku);
      const amount = minorUnits(spend.value);
      if (amount === null || rows.some((row) => row.amount === null)) throw new Refused({ code: "ERR", text: t("An amount is written like 12.50.") });
      const more = keys({ merchant: merchant.value.trim(), spend: amount, lines: rows.map((row) => `${row.sku}:${row.quantity}:${row.amount}`).join(","),
        at: at.value ? new Date(at.value).getTime() : "", channel: channel.value.trim(), type: type.value.trim() });
      const [simulated, steps] = await ask(`SIMULATE EARN ${word(who.value)}${more}`, `EXPLAIN EARN ${word(who.value)}${more}`);
      if (simulated instanceof Refused) throw simulated;
      const rules = steps instanceof Refused ? null : await rulesOf(steps);
      replace(outcome, h("p", { class: "outcome-line" }, h("strong", { class: "figure plus" }, signed(number(simulated.points))), " ", t("points"),
        h("span", { class: "facts" }, t("balance then {0}", count(number(simulated.balance))), number(simulated.capped) ? ` · ${t("{0} cut off", count(number(simulated.capped)))}` : "",
          text(simulated.reason) ? ` · ${t("because of {0}", text(simulated.reason))}` : "", text(simulated.tier) ? ` · ${t("Tier {0}", text(simulated.tier))}` : "")),
      steps instanceof Refused ? problem(steps) : explanation(steps, rules));
    } catch (error) { replace(outcome, problem(error)); }
  }
}
async function suggest(place, command, key) {
  try {
    const [reply] = await ask(command);
    if (Array.isArray(reply)) replace(place, reply.filter((one) => one[key]).map((one) => h("option", { value: text(one[key]) }, text(one.title))));
  } catch { /* It is typed, then. */ }
}
