// Shards as a grid: a cell each, coloured by its leader, marked by its state; arrows walk it, Enter opens one.

import { list, number, one, text } from "/base/api.js";
import { hue } from "/cluster/overview.js";
import { act } from "/cluster/act.js";
import { open, problem } from "/base/dialog.js";
import { button, h, keyed, mark, put, replace, say } from "/base/dom.js";
import { bytes, count, rate } from "/base/format.js";
import { live } from "/cluster/live.js";
import { table } from "/base/table.js";
import { t } from "/base/words.js";

const MARKS = { leaderless: "✗", degraded: "!", "taking-over": "…", copying: "⇣", exchanging: "⇄" };

export function shardGrid() {
  const cells = h("div", { class: "grid", role: "group", "aria-label": t("Shards") });
  const legend = h("span", { class: "legend" });
  const about = h("p", { class: "about-shard faint", "aria-live": "off" }, t("Point at a shard, or walk with the arrow keys."));
  const element = h("div", null, cells, about);
  element.legend = legend;
  let focused = null;
  cells.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: across(cells), ArrowUp: -across(cells), Home: -Infinity, End: Infinity }[event.key];
    if (step === undefined || !(event.target instanceof HTMLButtonElement)) return;
    event.preventDefault();
    const all = [...cells.children];
    const place = Math.min(all.length - 1, Math.max(0, all.indexOf(event.target) + step));
    all[place].focus();
  });
  cells.addEventListener("focusin", (event) => {
    if (focused && focused !== event.target) focused.tabIndex = -1;
    focused = event.target;
    focused.tabIndex = 0;
    say(about, event.target.getAttribute("aria-label") ?? "");
  });
  cells.addEventListener("pointerover", (event) => {
    const label = event.target.closest?.("button")?.getAttribute("aria-label");
    if (label) say(about, label);
  });
  element.show = (shards, nodes, rates) => {
    mark(cells, "data-size", shards.length > 200 ? "small" : null);
    const most = Math.max(1, ...rates.values());
    keyed(cells, shards, (shard) => shard.shard, (shard) =>
      h("button", { type: "button", tabindex: "-1", class: "shard", onclick: () => showShard(Number(shard.shard)) },
        h("span", { class: "mark", "aria-hidden": "true" }), h("span", { class: "id" }, shard.shard)), (cell, shard) => {
      const made = rates.get(shard.shard) ?? 0;
      const state = text(shard.state);
      const lag = number(shard.lag_seconds);
      mark(cell, "data-hue", text(shard.leader) ? hue(nodes, text(shard.leader)) : "none");
      mark(cell, "data-state", state);
      mark(cell, "data-heat", made <= 0 ? 0 : Math.min(4, 1 + Math.floor((made / most) * 3.99)));
      mark(cell, "data-late", lag !== null && lag >= 1);
      say(cell.firstChild, MARKS[state] ?? (state === "led" ? "" : "?"));
      mark(cell, "aria-label", [t("Shard {0}", shard.shard), text(shard.leader) ? t("led by {0}", text(shard.leader)) : t("no leader"), t(state),
        t("lag {0} entries, {1} s", count(number(shard.lag_entries)), lag ?? "–"), t("{0} commits/s", rate(made))].join(" · "));
    });
    if (!cells.querySelector("[tabindex='0']") && cells.firstChild) cells.firstChild.tabIndex = 0;
    const leaders = [...new Set(shards.map((shard) => text(shard.leader)).filter(Boolean))].sort();
    keyed(legend, leaders, (name) => name, (name) => h("span", null, h("span", { class: "swatch", "aria-hidden": "true" }), name),
      (item, name) => mark(item, "data-hue", hue(nodes, name)));
  };
  return element;
}
function across(cells) {
  const [first, ...rest] = [...cells.children].map((cell) => cell.offsetTop);
  const next = rest.findIndex((top) => top !== first);
  return next < 0 ? rest.length + 1 : next + 1;
}

function showShard(number_) {
  const { body, dialog } = open(t("Shard {0}", number_));
  const facts = h("dl", { class: "facts-list" }), members = h("div"), trouble = h("div");
  const go = (name, more) => () => { dialog.close(); act(name, { shard: String(number_), ...more }); };
  put(body, facts, h("h3", null, t("Replicas")), members, trouble,
    h("div", { class: "row" }, button(t("Choose its leader"), go("shard leader")), button(t("Move a replica"), go("shard move")),
      button(t("Split"), go("shard split")), button(t("Merge"), go("shard merge"))));
  let timer = null;
  dialog.ended = () => clearTimeout(timer);
  const next = async () => {
    try {
      const [shard, ...replicas] = [await one(`CLUSTER SHARDS ${number_}`)].flat();
      replace(trouble);
      replace(facts, [
        [t("State"), t(text(shard.state))], [t("Leader"), text(shard.leader) || t("no leader")], [t("Slots"), text(shard.slots)],
        [t("Voters"), list(shard.voters).join(", ")], [t("Learners"), list(shard.learners).join(", ") || "–"],
        [t("Term"), count(number(shard.term))], [t("Committed, applied"), `${count(number(shard.commit))}, ${count(number(shard.applied))}`],
        [t("Lag"), t("{0} entries, {1} s", count(number(shard.lag_entries)), number(shard.lag_seconds) ?? "–")],
        [t("Size of a copy"), bytes(number(shard.bytes))], [t("Configuration"), count(number(shard.config))],
        [t("Commits/s"), rate(live.rates.shard.get(shard.shard) ?? null)],
      ].map(([name, value]) => h("div", null, h("dt", null, name), h("dd", null, value))));
      replace(members, table(replicas));
    } catch (error) { replace(trouble, problem(error)); }
    if (dialog.open) timer = setTimeout(next, 2000);
  };
  next();
}
