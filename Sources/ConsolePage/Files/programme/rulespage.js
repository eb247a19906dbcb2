// Rules as sentences, in the order in which they work.

import { ask, keys, one, Refused, text, word } from "/base/api.js";
import { open, problem } from "/base/dialog.js";
import { button, h, panel, put, replace, select, waiting } from "/base/dom.js";
import { moment } from "/base/format.js";
import { statePill } from "/programme/members.js";
import { ruleSentence } from "/programme/rules.js";
import { table } from "/base/table.js";
import { t } from "/base/words.js";

const STAGES = ["block", "base", "fixed", "times", "bonus", "cap"];
const MEANING = {
  block: "the first that is true ends it", base: "each line goes to the first that takes part, else to the rate", fixed: "a piece, before all others",
  times: "on what base and fixed gave", bonus: "once a purchase or event", cap: "what is above is cut off",
};

export function rulesPage(view, wanted) {
  const place = h("div");
  const state = select([["", t("all")], ["running", t("running")], ["draft", t("draft")], ["stopped", t("stopped")]]);
  state.setAttribute("aria-label", t("State"));
  state.addEventListener("change", () => show());
  put(view, h("header", { class: "page-head" }, h("h1", null, t("Rules")), state), place);
  let rules = [], programs = [];
  load();
  async function load() {
    replace(place, waiting(t("Asking the node …")));
    try {
      const replies = await ask("PROGRAM LIST", `RULE LIST${keys({ limit: 2000 })}`);
      const refused = replies.find((reply) => reply instanceof Refused);
      if (refused) throw refused;
      programs = replies[0];
      rules = replies[1].filter((rule) => rule.rule !== undefined);
      show();
      const found = wanted && rules.find((rule) => text(rule.rule) === wanted);
      if (found) showRule(found);
    } catch (error) { replace(place, problem(error)); }
  }
  function show() {
    const kept = rules.filter((rule) => !state.value || text(rule.state) === state.value);
    replace(place, programs.length === 0 ? h("p", { class: "empty" }, t("There is no program yet: PROGRAM SET makes the first.")) : programs.map((program) => {
      const mine = kept.filter((rule) => text(rule.program) === text(program.program));
      const [gives, per] = text(program.earn).split("/");
      return panel(text(program.title) || text(program.program), null,
        h("p", { class: "about" }, Number(gives) > 0 ? t("The program gives {0} points for every {1} spent.", gives, (Number(per) / 100).toFixed(2)) : t("The program gives nothing by itself.")),
        mine.length === 0 ? h("p", { class: "empty" }, t("No rules here.")) : STAGES.filter((stage) => mine.some((rule) => rule.stage === stage)).map((stage) =>
          h("section", { class: "stage-group", "aria-label": t(stage) }, h("h3", null, t(stage), " ", h("small", null, t(MEANING[stage]))),
            h("ul", { class: "rules" }, mine.filter((rule) => rule.stage === stage).map((rule) => h("li", { "data-state": text(rule.state) },
              h("button", { type: "button", class: "sentence", onclick: () => showRule(rule) }, ruleSentence(rule)),
              h("span", { class: "meta" }, text(rule.rule), " ", statePill(text(rule.state)), text(rule.campaign) ? ` ${t("campaign {0}", text(rule.campaign))}` : "",
                rule.until ? [" ", t("until"), " ", moment(rule.until, { short: true })] : null)))))));
    }));
  }
}
function showRule(rule) {
  const { body } = open(t("Rule {0}", text(rule.rule)));
  const past = h("div");
  put(body, h("p", { class: "large" }, ruleSentence(rule)), h("dl", { class: "facts-list" }, Object.entries(rule).filter(([, value]) => text(value) !== "").map(([key, value]) =>
    h("div", null, h("dt", null, key), h("dd", null, key === "from" || key === "until" ? moment(value) : String(value))))), h("h3", null, t("Versions")), past,
  button(t("Show its versions"), async (event) => {
    event.currentTarget.remove();
    try { replace(past, table(await one(`RULE HISTORY ${word(text(rule.rule))}`))); } catch (error) { replace(past, problem(error)); }
  }, { class: "quiet" }));
}
