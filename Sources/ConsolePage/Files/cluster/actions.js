// What an administrator can do: each shows its plan first, then is done, then is followed.
//
// An action says which fields it asks for, and the line that it sends. Where the node can plan it, the line with `dry-run=yes` is
// sent first, and nothing is begun before somebody has seen the answer.

import { keys, text, word } from "/base/api.js";
import { live } from "/cluster/live.js";
import { t } from "/base/words.js";

const nodeNames = () => live.nodes.filter((node) => node.state !== "removed").map((node) => text(node.name) || text(node.node));
const regions = () => [...new Set(live.nodes.map((node) => text(node.region)).filter(Boolean))].sort();
const shardNumbers = () => live.shards.map((shard) => String(shard.shard));
const node = (name, label) => ({ name, label, options: nodeNames });
const shard = (name, label) => ({ name, label, options: shardNumbers, type: "number" });
const votersOf = (number) => {
  const found = live.shards.find((one) => String(one.shard) === String(number));
  return found ? (Array.isArray(found.voters) ? found.voters : text(found.voters).split(",")) : nodeNames();
};

/// By name. `plan`: "dry-run", or a function to lines that show how things are. `typed`: what has to be typed before it is done.
export const actions = {
  "node drain": {
    title: "Drain a node", about: "It hands over what it leads and is given nothing, until it is undrained. It goes on voting.",
    fields: [node("node", "Node")], line: (v) => `CLUSTER NODE DRAIN ${word(v.node)}`, plan: "dry-run",
  },
  "node undrain": {
    title: "Undrain a node", about: "It may lead and be given shards again.",
    fields: [node("node", "Node")], line: (v) => `CLUSTER NODE UNDRAIN ${word(v.node)}`, plan: "dry-run",
  },
  "node remove": {
    title: "Remove a node", about: "What it holds moves to others; then it leaves for ever.", isGrave: true,
    fields: [node("node", "Node"), { name: "dead", label: "It is dead: it does not answer any more", isFlag: true }],
    line: (v) => `CLUSTER NODE REMOVE ${word(v.node)}${v.dead ? " dead=yes" : ""}`, plan: "dry-run",
  },
  "node replace": {
    title: "Replace a node", about: "All that the old node holds moves to the new one.", isGrave: true,
    fields: [node("node", "Old node"), node("to", "New node"), { name: "dead", label: "The old one is dead: it does not answer any more", isFlag: true }],
    line: (v) => `CLUSTER NODE REPLACE ${word(v.node)}${keys({ to: v.to })}${v.dead ? " dead=yes" : ""}`, plan: "dry-run",
  },
  "shard leader": {
    title: "Choose a shard's leader", about: "Another of its voters leads it from now on.",
    fields: [shard("shard", "Shard"), { name: "to", label: "To node", options: (v) => votersOf(v.shard) }],
    line: (v) => `CLUSTER SHARD LEADER ${word(v.shard)}${keys({ to: v.to })}`, plan: "dry-run",
  },
  "shard move": {
    title: "Move a replica", about: "The new node catches up as a learner; then the two are exchanged.",
    fields: [shard("shard", "Shard"), { name: "from", label: "From node", options: (v) => votersOf(v.shard) },
      { name: "to", label: "To node", options: (v) => nodeNames().filter((name) => !votersOf(v.shard).includes(name)) }],
    line: (v) => `CLUSTER SHARD MOVE ${word(v.shard)}${keys({ from: v.from, to: v.to })}`, plan: "dry-run",
  },
  "shard split": {
    title: "Split a shard", about: "The upper half of its slots, or those from a slot on, become a new shard on the same nodes.",
    fields: [shard("shard", "Shard"), { name: "at", label: "From slot (empty: the middle)", type: "number", isOptional: true }],
    line: (v) => `CLUSTER SHARD SPLIT ${word(v.shard)}${keys({ at: v.at })}`, plan: "dry-run",
  },
  "shard merge": {
    title: "Merge two shards", about: "The first takes all slots of the second, which is no more then.", isGrave: true,
    fields: [shard("shard", "Shard that stays"), shard("other", "Shard that it takes in")],
    line: (v) => `CLUSTER SHARD MERGE ${word(v.shard)} ${word(v.other)}`, plan: "dry-run",
  },
  "rebalance": {
    title: "Rebalance", about: "Nodes get even parts, with the fewest moves.",
    fields: [{ name: "what", label: "What", options: () => [["", t("replicas and leaders")], ["REPLICAS", t("replicas")], ["LEADERS", t("leaders")]], isOptional: true }],
    line: (v) => `CLUSTER REBALANCE${v.what ? ` ${v.what}` : ""} apply=yes`, plan: (v) => `CLUSTER REBALANCE${v.what ? ` ${v.what}` : ""}`,
  },
  "placement set": {
    title: "Set the placement", about: "Where replicas are, and from where shards are led. Leaders follow by themselves, replicas by a rebalance.",
    fields: [{ name: "spread", label: "Replicas by region (east:2,north:1 or even)", isOptional: true },
      { name: "leaders", label: "Led from", isOptional: true, options: () => [["", t("as it is")], ["any", t("anywhere")], ["traffic", t("where most requests come from")], ...regions()] },
      { ...shard("shard", "Only this shard"), isOptional: true }],
    line: (v) => `CLUSTER PLACEMENT SET${keys({ spread: v.spread, leaders: v.leaders, shard: v.shard })}`, plan: "dry-run", now: "CLUSTER PLACEMENT SHOW",
  },
  "limit set": {
    title: "Set limits", about: "When a silent node is replaced, how many shards move at once, and how fast snapshots go.",
    fields: [{ name: "dead-after", label: "Replace a silent node after (10m, or off)", isOptional: true },
      { name: "moves", label: "Shards of a node that move at once", type: "number", isOptional: true },
      { name: "snapshot-rate", label: "Bytes a second for snapshots (50MB, or off)", isOptional: true }],
    line: (v) => `CLUSTER LIMIT SET${keys({ "dead-after": v["dead-after"], moves: v.moves, "snapshot-rate": v["snapshot-rate"] })}`,
    now: "CLUSTER LIMIT SHOW",
  },
  "op cancel": {
    title: "Cancel an operation", about: "It is given up where that is safe. What was done stays as it is.",
    fields: [{ name: "op", label: "Operation", type: "number" }],
    line: (v) => `CLUSTER OP CANCEL ${word(v.op)}`, now: (v) => `CLUSTER OP SHOW ${word(v.op)}`,
  },
  "alarm clear": {
    title: "Clear an alarm", about: "POISON: the entry that ended processes is tried again once. CORRUPT: a shard that lost a majority goes on by what is left; what else was acknowledged is lost.",
    isGrave: true, typed: () => "accept",
    fields: [{ name: "alarm", label: "Alarm", options: () => ["POISON", "CORRUPT"] }, shard("shard", "Shard")],
    line: (v) => `CLUSTER ALARM CLEAR ${word(v.alarm)}${keys({ shard: v.shard })}${v.alarm === "CORRUPT" ? " accept-loss=yes" : ""}`,
    now: "CLUSTER ALARM LIST",
  },
  "backup save": {
    title: "Save a backup", about: "The node that answers here writes all shards at one moment to a directory of its own. The same directory again takes what has changed.",
    fields: [{ name: "dir", label: "Directory on that node" }], line: (v) => `CLUSTER BACKUP SAVE${keys({ dir: v.dir })}`, plan: "dry-run",
  },
  "upgrade finish": {
    title: "Finish an upgrade", about: "The newest rules and formats that all nodes know begin. No node can go back after that.",
    isGrave: true, fields: [], line: () => "CLUSTER UPGRADE FINISH", plan: "dry-run", now: "CLUSTER UPGRADE SHOW",
  },
  "unsafe recover": {
    title: "Recover what lost its majority", about: "Each group goes on from the replica that has the most. What only the dead nodes had is lost for ever, and they must never come back.",
    isGrave: true, fields: [{ name: "dead", label: "Nodes that are dead for ever, with commas between them" }],
    line: (v, plan) => `CLUSTER UNSAFE RECOVER${keys({ dead: v.dead, apply: plan?.[0]?.id })}`, plan: (v) => `CLUSTER UNSAFE RECOVER${keys({ dead: v.dead })}`,
    typed: (plan) => text(plan?.[0]?.cluster),
  },
  "cluster init": {
    title: "Make the cluster", about: "Of all nodes that have found each other, once.",
    fields: [{ name: "shards", label: "Shards", type: "number", value: "6" }, { name: "replicas", label: "Replicas of each", type: "number", value: "3" },
      { name: "single", label: "All in one region is all right", isFlag: true }],
    line: (v) => `CLUSTER INIT${keys({ shards: v.shards, replicas: v.replicas })}${v.single ? " allow-single-region=yes" : ""}`, plan: "dry-run",
  },
  "backup restore": {
    title: "Restore a backup", about: "In place of making a cluster: nodes that have found each other become one with the newest backup in a directory of the node that answers here.",
    isGrave: true, fields: [{ name: "dir", label: "Directory on that node" }, { name: "replicas", label: "Replicas of each", type: "number", isOptional: true },
      { name: "single", label: "All in one region is all right", isFlag: true }],
    line: (v) => `CLUSTER BACKUP RESTORE${keys({ dir: v.dir, replicas: v.replicas })}${v.single ? " allow-single-region=yes" : ""}`, plan: "dry-run",
  },
};
/// As they stand together on a page.
export const groups = [
  ["Nodes", ["node drain", "node undrain", "node replace", "node remove"]],
  ["Shards", ["shard leader", "shard move", "shard split", "shard merge", "rebalance"]],
  ["Rules of the cluster", ["placement set", "limit set", "upgrade finish"]],
  ["Safety", ["backup save", "alarm clear", "unsafe recover"]],
  ["Beginning", ["cluster init", "backup restore"]],
];
