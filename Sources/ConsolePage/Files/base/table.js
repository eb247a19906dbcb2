// Records as tables: columns from what the records have, values by what their keys say they are.

import { list, number, text } from "/base/api.js";
import { h } from "/base/dom.js";
import { bytes, count, moment, money } from "/base/format.js";
import { t } from "/base/words.js";

const MOMENTS = new Set(["time", "expires", "since", "asof", "cut", "at", "started", "until", "effective", "last_seen"]);
const BYTES = new Set(["bytes", "written", "disk_free", "log", "log_pinned"]);
const MONEY = new Set(["spend", "issue_amount", "redeem_amount", "fees", "commission", "shares", "net", "value"]);
const COUNTS = new Set(["points", "balance", "held", "available", "debt", "pending", "members", "transactions", "sum",
  "replicas", "replicas_after", "leaders", "leaders_after", "limit", "used", "left", "rank", "priority", "version", "index", "accounts",
  "intransit", "issued", "redeemed", "expired", "refunded", "transferred", "adjusted", "outstanding", "joined", "active", "frozen", "closed", "qualifying", "total", "shards", "moves"]);

function cell(key, value) {
  if (value === null || value === undefined || value === "") return "";
  if (Array.isArray(value)) return value.join(", ");
  if (value === true || value === false) return t(value ? "yes" : "no");
  if (MOMENTS.has(key) && /^\d{12,14}$/.test(String(value))) return moment(Number(value), { short: true });
  if (key === "from" && /^\d{12,14}$/.test(String(value))) return moment(Number(value), { short: true });
  const figure = number(value);
  if (figure !== null && BYTES.has(key)) return bytes(figure);
  if (figure !== null && MONEY.has(key)) return money(figure);
  if (figure !== null && COUNTS.has(key)) return count(figure);
  return String(value);
}
const isFigure = (key, value) =>
  number(value) !== null && value !== "" && (BYTES.has(key) || MONEY.has(key) || COUNTS.has(key));

/// - options.columns: which, in order; else those of the records that are anywhere filled.
/// - options.render: by key, a function of a record to what stands in its cell.
/// - options.sum: by key, what stands below.
export function table(records, options) {
  const rows = records.filter((record) => record && typeof record === "object");
  const columns = options?.columns ?? [...new Set(rows.flatMap((row) => Object.keys(row)))]
    .filter((key) => rows.some((row) => text(row[key]) !== "" && list(row[key]).length > 0));
  const figures = new Set(columns.filter((key) => rows.some((row) => isFigure(key, row[key]))));
  const mark = (key) => (figures.has(key) ? "n" : null);
  return h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": options?.label ?? t("Table") },
    h("table", null,
      h("thead", null, h("tr", null, columns.map((key) => h("th", { scope: "col", class: mark(key) }, heading(key))))),
      h("tbody", null, rows.map((row) => h("tr", null, columns.map((key) =>
        h("td", { class: mark(key) }, options?.render?.[key]?.(row) ?? cell(key, row[key])))))),
      options?.sum ? h("tfoot", null, h("tr", null, columns.map((key) =>
        h("td", { class: mark(key) }, options.sum[key] === undefined ? "" : cell(key, options.sum[key]))))) : null));
}
export const heading = (key) => t(key.replaceAll("_", " "));
