// Operations: one that goes on, and the list of all.

import { number, text } from "/base/api.js";
import { meter } from "/base/charts.js";
import { h, keyed, mark, put, say } from "/base/dom.js";
import { bytes, count, duration, moment } from "/base/format.js";
import { t } from "/base/words.js";

const isUnderWay = (operation) => ["waiting", "running"].includes(operation.state);
export const underWay = (operations) => operations.filter(isUnderWay);

/// A row that `show` brings up to date.
export function operationRow(first, tools) {
  const name = h("strong"), state = h("span", { class: "state" }), facts = h("span", { class: "facts" });
  const bar = meter(t("Progress"), 0);
  const note = h("p", { class: "note" });
  const when = h("span", { class: "faint" });
  const row = h("div", { class: "operation", "data-op": first.op },
    h("div", { class: "line" }, name, state, facts, when, h("span", { class: "tools" }, tools?.(() => row.operation))), bar, note);
  row.show = (operation) => {
    row.operation = operation;
    mark(row, "data-state", operation.state);
    const kind = text(operation.kind).replaceAll("-", " ");
    // `node drain` of `node west-1`: the noun once.
    const noun = `${kind.split(" ")[0]} `;
    const target = text(operation.target);
    say(name, `${operation.op} · ${t(kind)} ${target.startsWith(noun) ? target.slice(noun.length) : target}`);
    say(state, t(operation.state));
    mark(state, "class", `state ${{ failed: "bad", done: "good", waiting: "warn", running: "live" }[operation.state] ?? ""}`);
    const [steps, done] = [number(operation.steps) ?? 0, number(operation.done) ?? 0];
    const percent = number(operation.percent);
    const share = operation.state === "done" ? 1 : steps > 0 ? (done + (percent ?? 0) / 100) / steps : 0;
    bar.show(share, operation.state === "failed" ? "bad" : operation.state === "done" ? "good" : "");
    const eta = number(operation.eta_seconds);
    say(facts, [
      steps > 0 ? t("{0} of {1} steps", count(done), count(steps)) : "",
      isUnderWay(operation) && number(operation.bytes) ? bytes(number(operation.bytes)) : "",
      isUnderWay(operation) && eta !== null ? t("{0} left", duration(eta)) : "",
      text(operation.by) === "auto" ? t("by itself") : text(operation.by) && operation.by !== "operator" ? t("by {0}", text(operation.by)) : "",
    ].filter(Boolean).join(" · "));
    if (row.started !== operation.started) {
      row.started = operation.started;
      when.replaceChildren();
      if (number(operation.started)) put(when, moment(number(operation.started), { short: true }));
    }
    say(note, [isUnderWay(operation) ? text(operation.current) : "", text(operation.error), text(operation.detail)].filter(Boolean).join(" · "));
    mark(note, "class", operation.state === "failed" ? "note bad" : "note");
  };
  row.show(first);
  return row;
}
export function operationList(tools) {
  const rows = h("div", { class: "operations" });
  const none = h("p", { class: "empty" }, t("No operation yet: what is begun here or by tally shows here."));
  const element = h("div", null, none, rows);
  element.show = (operations) => {
    none.hidden = operations.length > 0;
    keyed(rows, operations, (operation) => operation.op, (operation) => operationRow(operation, tools), (row, operation) => row.show(operation));
  };
  return element;
}
