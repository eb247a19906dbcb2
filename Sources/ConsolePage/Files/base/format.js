// Numbers and moments as people read them, in the page's language and the reader's zone.

import { h } from "/base/dom.js";
import { language, t } from "/base/words.js";

const locale = () => (language() === "zh" ? "zh-CN" : "en-GB");
const formats = new Map();
function made(name, make) {
  const key = `${name}/${locale()}`;
  if (!formats.has(key)) formats.set(key, make(locale()));
  return formats.get(key);
}
export function count(value) {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  return made("count", (l) => new Intl.NumberFormat(l, { maximumFractionDigits: 0 })).format(value);
}
export function rate(value) {
  if (value === null || value === undefined) return "–";
  return made(value < 10 ? "rate1" : "rate0", (l) =>
    new Intl.NumberFormat(l, { maximumFractionDigits: value < 10 ? 1 : 0 })).format(value);
}
/// With a sign, for points that moved.
export function signed(value) {
  if (value === null) return "–";
  return made("signed", (l) => new Intl.NumberFormat(l, { signDisplay: "exceptZero" })).format(value).replace("-", "−");
}
/// Minor units as the major one: what currency that is, the operator knows.
export function money(minor) {
  if (minor === null || minor === undefined) return "";
  return made("money", (l) => new Intl.NumberFormat(l, { minimumFractionDigits: 2 })).format(minor / 100);
}
/// Null: the text is no amount.
export function minorUnits(text) {
  const match = /^\s*(\d{1,13})(?:[.,](\d{1,2}))?\s*$/.exec(text);
  return match ? Number(match[1]) * 100 + Number((match[2] ?? "").padEnd(2, "0")) : null;
}
export function bytes(value) {
  if (value === null) return "–";
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let place = 0;
  while (value >= 1024 && place < units.length - 1) { value /= 1024; place += 1; }
  return `${value >= 100 || place === 0 ? Math.round(value) : value.toFixed(1)} ${units[place]}`;
}
/// Seconds as ms or µs.
export function span(seconds) {
  if (seconds === null || seconds === undefined || Number.isNaN(seconds)) return "–";
  if (seconds >= 10) return `${Math.round(seconds)} s`;
  if (seconds >= 1) return `${seconds.toFixed(1)} s`;
  if (seconds >= 0.01) return `${Math.round(seconds * 1e3)} ms`;
  if (seconds >= 0.001) return `${(seconds * 1e3).toFixed(1)} ms`;
  return `${Math.round(seconds * 1e6)} µs`;
}
export function duration(seconds) {
  if (seconds === null) return "–";
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 90) return t("{0} s", whole);
  if (whole < 5400) return t("{0} min", Math.round(whole / 60));
  if (whole < 172_800) return t("{0} h", Math.round(whole / 3600));
  return t("{0} days", Math.round(whole / 86_400));
}
const twoDigits = { year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit" };
/// A moment in the reader's zone; UTC where one points at it.
export function moment(milliseconds, options) {
  if (milliseconds === null || milliseconds === undefined || milliseconds === "" || milliseconds === "never") {
    return h("span", { class: "faint" }, milliseconds === "never" ? t("never") : "–");
  }
  const date = new Date(Number(milliseconds));
  if (Number.isNaN(date.getTime())) return h("span", null, String(milliseconds));
  const utc = date.toISOString();
  const format = options?.day ? made("day", (l) => new Intl.DateTimeFormat(l, { dateStyle: "medium" }))
    : made("moment", (l) => new Intl.DateTimeFormat(l, { ...twoDigits, second: options?.short ? undefined : "2-digit", hour12: false }));
  return h("time", { datetime: utc, title: `${utc.slice(0, 19).replace("T", " ")} UTC` }, format.format(date));
}
export function clock(milliseconds) {
  return made("clock", (l) => new Intl.DateTimeFormat(l, { timeStyle: "medium", hour12: false })).format(new Date(milliseconds));
}
/// Rows to a file of comma-separated values, for a spreadsheet.
export function saveCSV(name, columns, rows) {
  const cell = (value) => {
    let text = value === null || value === undefined ? "" : String(value);
    // A spreadsheet would take it for a formula.
    if (typeof value !== "number" && /^[=+\-@\t\r]/.test(text)) text = `'${text}`;
    return /[",\r\n]/.test(text) ? `"${text.replaceAll("\"", "\"\"")}"` : text;
  };
  const lines = [columns, ...rows].map((row) => row.map(cell).join(","));
  const url = URL.createObjectURL(new Blob([`\uFEFF${lines.join("\r\n")}\r\n`], { type: "text/csv" }));
  h("a", { href: url, download: `${name}.csv` }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
