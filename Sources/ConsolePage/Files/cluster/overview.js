// The page "Cluster": its health, charts, regions with their nodes, shards, operations.

import { isYes, list, number, one, text } from "/base/api.js";
import { liveChart, meter } from "/base/charts.js";
import { act } from "/cluster/act.js";
import { problem } from "/base/dialog.js";
import { button, h, keyed, mark, panel, put, replace, say, waiting } from "/base/dom.js";
import { bytes, clock, count, duration, rate, span } from "/base/format.js";
import { live, watchAll } from "/cluster/live.js";
import { operationList, underWay } from "/cluster/operations.js";
import { shardGrid } from "/cluster/shards.js";
import { t } from "/base/words.js";

export function clusterPage(view) {
  const health = h("section", { class: "health" });
  const alarms = h("ul", { class: "alarms" });
  const charts = [
    liveChart(t("Requests a second"), [{ name: t("answered"), mark: "a" }, { name: t("refused"), mark: "b" }], rate, t("What this node answers")),
    liveChart(t("Commits a second"), [{ name: t("commits"), mark: "a" }], rate, t("Entries of all shards")),
    liveChart(t("Commit time (99 %)"), [{ name: "99 %", mark: "a" }, { name: t("half"), mark: "c" }], span, t("Of entries that this node proposed")),
    liveChart(t("Loop busy"), [{ name: t("busy"), mark: "a" }], (value) => value === null ? "–" : `${Math.round(value * 100)} %`, t("Of this node's time")),
  ];
  const regions = h("div", { class: "regions" });
  const grid = shardGrid();
  const operations = operationList(cancelButton);
  put(view, health, alarms,
    h("section", { class: "tiles", "aria-label": t("Live charts") }, charts),
    h("section", { "aria-label": t("Regions and nodes") }, regions),
    h("div", { class: "columns" },
      panel(t("Shards"), { tools: grid.legend }, grid),
      panel(t("Operations"), { tools: h("a", { href: "#/manage" }, t("Manage the cluster")) }, operations)));
  const stop = watchAll(() => {
    showHealth(health);
    showAlarms(alarms);
    const s = live.series;
    charts[0].show([s.requests, s.refused]);
    charts[1].show([s.commits]);
    charts[2].show([s.most, s.half]);
    charts[3].show([s.busy]);
    showRegions(regions);
    grid.show(live.shards, live.nodes, live.rates.shard);
    operations.show([...underWay(live.operations), ...live.operations.filter((one) => !underWay([one]).length)].slice(0, 8));
    mark(view, "data-stale", live.silentSince !== null);
  });
  return () => { stop(); };
}
export function cancelButton(operation) {
  const cancel = button(t("Cancel"), () => act("op cancel", { op: String(operation().op) }), { class: "quiet small only-under-way" });
  return cancel;
}

function showHealth(element) {
  const status = live.status;
  let [tone, title, facts] = ["bad", "", []];
  if (live.silentSince !== null) {
    title = t("No answer from the node since {0}", clock(live.silentSince));
    facts = [t("It is asked again. What is shown is from before.")];
  } else if (!status) {
    title = live.problem ? `${live.problem.code}: ${live.problem.message}` : t("Asking the node …");
    tone = live.problem ? "bad" : "";
  } else {
    const isWell = isYes(status.healthy);
    const since = number(status.since);
    // What a planned change brings with it is over within seconds.
    tone = isWell ? "good" : since && Date.now() - since < 5_000 ? "warn" : "bad";
    const length = since ? duration((Date.now() - since) / 1000) : "";
    title = isWell ? (since ? t("Healthy for {0}", length) : t("Healthy")) : since ? t("Not healthy for {0}", length) : t("Not healthy");
    if (!isWell) facts.push(...[status.why].flat().filter((why) => text(why)));
    const up = number(status.up), nodes = number(status.nodes);
    facts.push(t("{0} of {1} nodes up", count(up), count(nodes)), t("{0} of {1} shards led", count(number(status.leaders)), count(number(status.shards))));
    if (text(status.detail)) facts.push(text(status.detail));
  }
  if (!element.head) {
    element.head = h("strong");
    element.facts = h("span", { class: "facts" });
    element.names = h("span", { class: "names faint" });
    // Read aloud when it changes, and not for each minute more.
    element.aloud = h("span", { class: "unseen", role: "status" });
    put(element, h("span", { class: "dot", "aria-hidden": "true" }), element.head, element.facts, element.names, element.aloud);
  }
  mark(element, "class", `health ${tone}`);
  say(element.aloud, live.silentSince !== null ? t("no answer") : !status ? "" : isYes(status.healthy) ? t("Healthy") : [t("Not healthy"), ...[status.why].flat().map(text)].join(". "));
  say(element.head, title);
  say(element.facts, facts.join(" · "));
  say(element.names, status ? t("cluster {0} · asked {1} · version {2}", text(status.cluster), text(status.node), text(status.version)) : "");
}
function showAlarms(element) {
  const found = live.alarms.filter((record) => list(record.alarms).length > 0);
  element.hidden = found.length === 0;
  keyed(element, found, (record) => text(record.node), () => h("li", { role: "alert" }), (item, record) => {
    say(item, `${text(record.node)}: ${list(record.alarms).join(", ")}${text(record.detail) ? `. ${text(record.detail)}` : ""}`);
  });
}

// MARK: Nodes

function showRegions(element) {
  const names = [...new Set(live.nodes.map((node) => text(node.region) || "?"))].sort();
  keyed(element, names, (name) => name, (name) => {
    const nodes = h("div", { class: "nodes" });
    const sums = h("span", { class: "faint" });
    const region = h("section", { class: "region", "aria-label": name }, h("header", { class: "head" }, h("h2", null, name), sums), nodes);
    region.nodes = nodes;
    region.sums = sums;
    return region;
  }, (region, name) => {
    const nodes = live.nodes.filter((node) => (text(node.region) || "?") === name);
    const commits = nodes.reduce((sum, node) => sum + (live.rates.node.get(text(node.node)) ?? 0), 0);
    const leads = nodes.reduce((sum, node) => sum + (number(node.leaders) ?? 0), 0);
    say(region.sums, t("{0} leads · {1} commits/s", count(leads), rate(commits)));
    keyed(region.nodes, nodes, (node) => text(node.id) || text(node.node), nodeCard, (card, node) => card.show(node));
  });
}
const HUES = 6;
export function hue(nodes, name) {
  const place = [...nodes].map((node) => text(node.node)).sort().indexOf(name);
  return place < 0 ? "none" : String(place % HUES);
}
function nodeCard(first) {
  const name = h("strong"), state = h("span", { class: "state" });
  const leads = h("dd"), holds = h("dd"), commits = h("dd"), free = h("dd"), log = h("dd"), address = h("span", { class: "faint address" });
  const bar = meter(t("Log in use"), 0);
  const warning = h("p", { class: "note" });
  const pair = (title, value) => h("div", null, h("dt", null, title), value);
  const tools = h("div", { class: "tools" });
  const card = h("article", { class: "node", "aria-label": text(first.node) },
    h("header", { class: "line" }, h("span", { class: "swatch", "aria-hidden": "true" }), name, state),
    h("dl", null, pair(t("Leads"), leads), pair(t("Holds"), holds), pair(t("Commits/s"), commits),
      pair(t("Disk free"), free), pair(t("Log"), h("dd", null, log, bar))), h("div", { class: "line foot" }, address, tools), warning);
  let shownState = null;
  card.show = (node) => {
    const me = text(node.node);
    say(name, text(node.name) || me);
    say(state, t(text(node.state)));
    mark(state, "class", `state ${{ up: "good", down: "bad", removed: "", draining: "warn", joining: "live" }[node.state] ?? "warn"}`);
    mark(card, "data-state", text(node.state));
    mark(card, "data-hue", hue(live.nodes, me));
    say(leads, count(number(node.leaders)));
    say(holds, count(number(node.replicas)));
    say(commits, rate(live.rates.node.get(me) ?? (live.shards.length ? 0 : null)));
    say(free, bytes(number(node.disk_free)));
    const [whole, pinned] = [number(node.log), number(node.log_pinned)];
    say(log, bytes(whole));
    bar.show(whole ? (pinned ?? 0) / whole : 0);
    mark(bar, "title", whole ? t("{0} of it are needed", bytes(pinned)) : null);
    say(address, text(node.address));
    mark(address, "title", t("version {0}", text(node.version)));
    const words = [...list(node.alarms), ...list(node.warnings)];
    say(warning, words.join(", "));
    mark(warning, "class", list(node.alarms).length ? "note bad" : "note warn");
    if (shownState !== node.state) {
      shownState = node.state;
      replace(tools, nodeTools(me, node.state));
    }
  };
  return card;
}
function nodeTools(name, state) {
  if (state === "removed") return [];
  const go = (action, more) => () => act(action, { node: name, ...more });
  const isDrained = ["draining", "drained"].includes(state);
  return [
    isDrained ? button(t("Undrain"), go("node undrain"), { class: "quiet small" }) : button(t("Drain"), go("node drain"), { class: "quiet small" }),
    button(t("Replace"), () => act("node replace", { node: name, dead: state === "down" }), { class: "quiet small" }),
    button(t("Remove"), go("node remove", { dead: state === "down" }), { class: "quiet small" }),
  ];
}

// MARK: Checks, for the page of administration

export function checkButtons() {
  const place = h("div", { "aria-live": "polite" });
  const run = (line, title, render) => button(title, async (event) => {
    const pressed = event.currentTarget;
    pressed.disabled = true;
    replace(place, waiting(t("Asking the node …")));
    try { replace(place, render(await one(line))); } catch (error) { replace(place, problem(error)); }
    pressed.disabled = false;
  });
  const checked = (reply) => {
    const [head, ...findings] = [reply].flat();
    const isWell = isYes(head.ok);
    return [h("p", { class: `notice ${isWell ? "good" : "bad"}` }, isWell
      ? t("Nothing is wrong: {0} nodes, {1} shards, {2} compared.", count(number(head.nodes)), count(number(head.shards)), count(number(head.compared)))
      : t("Something is wrong.")),
    findings.length ? h("ul", { class: "findings" }, findings.map((finding) => h("li", null, h("strong", null, text(finding.kind)), " ", text(finding.text)))) : null];
  };
  const audited = (reply) => {
    const total = [reply].flat().find((record) => isYes(record.total)) ?? {};
    const isWell = isYes(total.balanced);
    return h("p", { class: `notice ${isWell ? "good" : "bad"}` }, isWell ? t("The books balance: {0} members, {1} transactions.", count(number(total.members)), count(number(total.transactions)))
      : t("The books do not balance."));
  };
  return [h("div", { class: "row" }, run("CLUSTER CHECK", t("Check all"), checked),
    run("HEALTH all=yes", t("Commit in every shard"), (reply) => h("p", { class: "notice good" }, typeof reply === "string" ? reply : Object.values(reply).join(" "))),
    run("AUDIT", t("Audit the books"), audited)), place];
}
