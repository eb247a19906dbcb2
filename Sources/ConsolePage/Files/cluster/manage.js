// The page "Manage": everything an administrator does, and what is under way.

import { actions, groups } from "/cluster/actions.js";
import { ask, Refused } from "/base/api.js";
import { cancelButton, checkButtons } from "/cluster/overview.js";
import { act } from "/cluster/act.js";
import { problem } from "/base/dialog.js";
import { button, h, panel, put, replace } from "/base/dom.js";
import { live, watchAll } from "/cluster/live.js";
import { operationList } from "/cluster/operations.js";
import { table } from "/base/table.js";
import { t } from "/base/words.js";

export function managePage(view) {
  const operations = operationList(cancelButton);
  const rules = h("div");
  put(view, h("h1", null, t("Manage the cluster")),
    panel(t("Look"), null, checkButtons()),
    h("div", { class: "deeds" }, groups.map(([title, names]) => panel(t(title), null, h("ul", { class: "deed-list" }, names.map((name) => {
      const action = actions[name];
      return h("li", null, button(t(action.title), () => act(name), { class: action.isGrave ? "grave-line" : "" }), h("p", { class: "faint" }, t(action.about)));
    }))))),
    panel(t("Rules of the cluster"), null, rules),
    panel(t("Operations"), null, operations));
  showRules(rules);
  return watchAll(() => operations.show(live.operations));
}
async function showRules(place) {
  try {
    const replies = await ask("CLUSTER PLACEMENT SHOW", "CLUSTER LIMIT SHOW", "CLUSTER UPGRADE SHOW");
    replace(place, ["Placement", "Limits", "Upgrade"].map((title, i) => [h("h3", null, t(title)),
      replies[i] instanceof Refused ? problem(replies[i]) : table([replies[i]].flat())]));
  } catch (error) { replace(place, problem(error)); }
}
