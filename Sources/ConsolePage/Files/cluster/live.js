// What is polled: the cluster as one node knows it, and that node's own figures.

import { ask, isYes, metrics, number, Refused, text } from "/base/api.js";
import { LENGTH } from "/base/charts.js";

const INTERVAL = 2_000;

export const live = {
  status: null, nodes: [], shards: [], operations: [], alarms: [],
  /// When a node answered last, in milliseconds; since when none has; why.
  at: null, silentSince: null, problem: null,
  /// Commits a second, by shard and by leader.
  rates: { shard: new Map(), node: new Map() },
  series: { requests: [], refused: [], commits: [], half: [], most: [], busy: [], lag: [] },
};
let listeners = new Set();
let timer = null, isRunning = false;
let before = null;
let whole = 0;

/// Calls back after each look, until the function that is returned is called.
export function watch(listener) {
  listeners.add(listener);
  if (live.at !== null) listener(live);
  return () => listeners.delete(listener);
}
/// Wants shards and figures as well, until the function that is returned is called.
export function watchAll(listener) {
  whole += 1;
  before = null;
  const stop = watch(listener);
  look();
  return () => { whole -= 1; stop(); };
}
export function start() {
  if (!isRunning) { isRunning = true; look(); }
}
export function stop() {
  isRunning = false;
  clearTimeout(timer);
  Object.assign(live, { status: null, at: null, silentSince: null, nodes: [], shards: [], operations: [], alarms: [] });
  for (const name of Object.keys(live.series)) live.series[name] = [];
  before = null;
}
document.addEventListener("visibilitychange", () => { if (!document.hidden && isRunning) look(); });

let isLooking = false;
export async function look() {
  if (isLooking || !isRunning) return;
  isLooking = true;
  clearTimeout(timer);
  try { await read(); } finally {
    isLooking = false;
    if (isRunning && !document.hidden) timer = setTimeout(look, whole > 0 ? INTERVAL : 2 * INTERVAL);
  }
}
async function read() {
  const wantsAll = whole > 0;
  try {
    const commands = ["CLUSTER STATUS", "CLUSTER NODES", "CLUSTER OP LIST limit=50", "CLUSTER ALARM LIST"];
    if (wantsAll) commands.push("CLUSTER SHARDS");
    const [replies, figures] = await Promise.all([ask(...commands), wantsAll ? metrics() : null]);
    if (!isRunning) return;
    const [status, nodes, operations, alarms, shards] = replies.map((reply) => (reply instanceof Refused ? null : reply));
    live.problem = replies[0] instanceof Refused ? replies[0] : null;
    live.status = Array.isArray(status) ? status[0] : status;
    live.nodes = (nodes ?? []).filter((node) => node.node || node.id);
    live.operations = operations ?? [];
    live.alarms = alarms ?? [];
    live.at = Date.now();
    live.silentSince = null;
    if (wantsAll) {
      live.shards = (shards ?? []).filter((shard) => shard.shard !== undefined && shard.slots !== undefined);
      note(figures);
    }
  } catch (error) {
    if (!isRunning || error instanceof Refused) return;
    live.silentSince ??= Date.now();
    live.problem = error;
  }
  for (const listener of [...listeners]) listener(live);
}
export const isHealthy = () => live.silentSince === null && live.status !== null && isYes(live.status.healthy);

// MARK: Rates

function note(figures) {
  const now = { at: performance.now(), commits: new Map(), requests: null, refused: null, buckets: null };
  for (const shard of live.shards) now.commits.set(shard.shard, number(shard.commit) ?? 0);
  if (figures) {
    const answered = figures.get("tally_requests_total");
    if (answered) {
      now.requests = sum(answered);
      now.refused = sum(answered.filter((sample) => sample.labels.outcome !== "OK"));
    } else now.requests = sum(figures.get("tally_requests_understood_total") ?? []);
    now.buckets = figures.get("tally_commit_seconds_bucket")?.map((sample) => [Number(sample.labels.le.replace("+Inf", "Infinity")), sample.value]);
  }
  const seconds = before ? (now.at - before.at) / 1000 : 0;
  const rate = (a, b) => (seconds > 0.2 && a !== null && b !== null && a !== undefined && b !== undefined ? Math.max(0, a - b) / seconds : null);
  const [byShard, byNode] = [new Map(), new Map()];
  let commits = before ? 0 : null;
  for (const shard of live.shards) {
    const made = rate(now.commits.get(shard.shard), before?.commits.get(shard.shard));
    if (made === null) continue;
    byShard.set(shard.shard, made);
    commits += made;
    const leader = text(shard.leader);
    byNode.set(leader, (byNode.get(leader) ?? 0) + made);
  }
  live.rates = { shard: byShard, node: byNode };
  const lags = live.shards.map((shard) => number(shard.lag_seconds)).filter((lag) => lag !== null);
  const [half, most] = quantiles(now.buckets, before?.buckets);
  push("requests", rate(now.requests, before?.requests ?? null));
  push("refused", rate(now.refused, before?.refused ?? null));
  push("commits", commits);
  push("half", half);
  push("most", most);
  push("busy", figures ? first(figures, "tally_loop_busy_ratio") : null);
  push("lag", lags.length ? Math.max(...lags) : null);
  before = now;
}
function push(name, value) {
  live.series[name].push(value);
  if (live.series[name].length > LENGTH) live.series[name].shift();
}
const sum = (samples) => samples.reduce((total, sample) => total + sample.value, 0);
const first = (figures, name) => figures.get(name)?.[0]?.value ?? null;

/// How long half, and 99 of 100, took at most, of what happened between two looks.
function quantiles(now, then) {
  if (!now || !then || now.length !== then.length) return [null, null];
  const grown = now.map(([bound, value], i) => [bound, value - then[i][1]]);
  const total = grown.at(-1)?.[1] ?? 0;
  if (total <= 0) return [null, null];
  return [0.5, 0.99].map((part) => {
    let [below, bound] = [0, 0];
    for (const [upper, value] of grown) {
      if (value >= part * total) {
        if (upper === Infinity) return bound;
        return bound + (upper - bound) * ((part * total - below) / Math.max(1e-9, value - below));
      }
      [below, bound] = [value, upper];
    }
    return bound;
  });
}
