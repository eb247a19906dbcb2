// The dialog of what an administrator does: its fields, its plan, its confirmation, its operation as it goes on.

import { ask, one, Refused } from "/base/api.js";
import { open, problem } from "/base/dialog.js";
import { button, field, h, put, replace, select, waiting } from "/base/dom.js";
import { table } from "/base/table.js";
import { t } from "/base/words.js";
import { actions } from "/cluster/actions.js";
import { look } from "/cluster/live.js";
import { operationRow } from "/cluster/operations.js";

/// Asks for what the action wants, shows the plan, has it confirmed, does it, and follows the operation.
export function act(name, given = {}) {
  const action = actions[name];
  const values = { ...given };
  const { body, close, dialog } = open(t(action.title));
  const form = h("form", { class: "form", onsubmit: (event) => { event.preventDefault(); showPlan(); } });
  const result = h("div", { class: "plan", "aria-live": "polite" }), trouble = h("div");
  const submit = h("button", { type: "submit", class: "main" }, action.plan ? t("Show the plan") : t("Go on"));
  const inputs = new Map();
  for (const asked of action.fields) put(form, input(asked));
  const buttons = h("div", { class: "row end" }, button(t("Cancel"), close), submit);
  put(form, buttons);
  put(body, h("p", { class: "about" }, t(action.about)), form, result);
  (form.querySelector("input, select") ?? submit).focus();
  // What was asked for by a button beside its object needs no form first.
  const isSaid = action.fields.every((asked) => !asked.isFlag && (asked.isOptional || given[asked.name] !== undefined));
  if (isSaid && (action.fields.length === 0 || Object.keys(given).length > 0)) showPlan();

  function input(asked) {
    let element;
    if (asked.isFlag) {
      element = h("input", { type: "checkbox" });
      element.checked = Boolean(values[asked.name]);
      element.addEventListener("change", () => { values[asked.name] = element.checked; forget(); });
      return h("label", { class: "check" }, element, t(asked.label));
    }
    const options = asked.options?.(values);
    if (options && (asked.type !== "number" || options.length)) {
      element = select(asked.isOptional && asked.type === "number" ? [["", "–"], ...options] : options, values[asked.name]);
      if (values[asked.name] === undefined) values[asked.name] = element.value;
    } else {
      element = h("input", {
        type: "text", inputmode: asked.type === "number" ? "numeric" : null, required: !asked.isOptional, autocomplete: "off",
        spellcheck: "false", value: values[asked.name] ?? asked.value ?? "",
      });
      values[asked.name] = element.value;
    }
    inputs.set(asked.name, element);
    element.addEventListener("input", () => {
      values[asked.name] = element.value;
      // What can be chosen may hang on what was.
      for (const other of action.fields) {
        if (other.name === asked.name || !other.options || other.options.length === 0) continue;
        const list = inputs.get(other.name);
        if (list?.tagName !== "SELECT") continue;
        replace(list, ...select(other.options(values)).children);
        values[other.name] = list.value;
      }
      forget();
    });
    return field(t(asked.label), element);
  }
  function forget() { replace(result); buttons.hidden = false; }

  async function showPlan() {
    replace(result, waiting(t("Asking the node …")));
    replace(trouble);
    try {
      const line = action.line(values);
      let planned = null;
      const asked = typeof action.plan === "function" ? action.plan(values) : action.plan ? `${line} dry-run=yes` : null;
      const now = typeof action.now === "function" ? action.now(values) : action.now;
      const lines = [asked, now].filter(Boolean);
      const replies = lines.length ? await ask(...lines) : [];
      const refused = replies.find((reply) => reply instanceof Refused);
      if (refused) throw refused;
      if (asked) planned = [replies[0]].flat().filter((row) => typeof row === "object");
      const present = now ? [replies.at(-1)].flat() : null;
      replace(result,
        present ? [h("h3", null, t("As it is now")), table(present)] : null,
        planned ? [h("h3", null, t("The plan")), planTable(planned)] : null,
        confirmation(planned));
      buttons.hidden = true;
    } catch (error) { replace(result, problem(error)); }
  }
  function confirmation(planned) {
    const line = action.line(values, planned);
    const wanted = action.typed?.(planned);
    const go = button(t("Do it"), () => begin(line, go), { class: action.isGrave ? "main grave" : "main", disabled: Boolean(wanted) });
    const typed = wanted ? h("input", { type: "text", autocomplete: "off", spellcheck: "false",
      oninput: () => { go.disabled = typed.value !== wanted; } }) : null;
    if (!typed) queueMicrotask(() => go.focus());
    return h("div", { class: "confirm" }, trouble, h("p", { class: "faint" }, t("This is sent:"), " ", h("code", null, line)),
      typed ? field(t("Type {0} to go on", wanted), typed) : null,
      h("div", { class: "row end" }, button(t("Cancel"), close), go));
  }
  async function begin(line, go) {
    go.disabled = true;
    try {
      const reply = await one(line);
      form.hidden = true;
      const operation = [reply].flat().find((record) => record?.op !== undefined && record?.state);
      if (operation) follow(operation, result, dialog);
      else replace(result, h("p", { class: "notice good", role: "status" }, t("Done.")), typeof reply === "object" ? table([reply].flat()) : null,
        h("div", { class: "row end" }, button(t("Close"), close, { class: "main" })));
      look();
    } catch (error) {
      go.disabled = false;
      replace(trouble, problem(error));
    }
  }
}
/// Shows an operation as it goes on, until the dialog is closed. The operation goes on without it.
function follow(first, place, dialog) {
  const row = operationRow(first);
  const note = h("p", { class: "faint" }, t("It goes on without this window."));
  replace(place, h("div", { class: "operations" }, row), note);
  let timer = null;
  dialog.ended = () => clearTimeout(timer);
  const next = async () => {
    try {
      const operation = [await one(`CLUSTER OP SHOW ${first.op}`)].flat()[0];
      row.show(operation);
      if (!["waiting", "running"].includes(operation.state)) {
        note.remove();
        return look();
      }
    } catch { /* The next look may be answered. */ }
    if (dialog.open) timer = setTimeout(next, 700);
  };
  timer = setTimeout(next, 300);
}
function planTable(rows) {
  if (rows.length === 0) return h("p", { class: "notice" }, t("There is nothing to do."));
  const moved = rows.reduce((sum, row) => sum + (Number(row.bytes) || 0), 0);
  const steps = rows.filter((row) => row.step !== undefined);
  const parts = [];
  if (steps.length < rows.length) parts.push(table(rows.filter((row) => row.step === undefined)));
  const columns = Object.keys(steps[0] ?? {}).filter((key) => key !== "bytes" || moved > 0);
  if (steps.length) parts.push(table(steps, { columns, sum: moved > 0 ? { bytes: moved } : null }));
  return h("div", { class: "scroll plan-rows" }, parts);
}

