// One way to the node: POST /v1/commands, each command a line of the protocol.

const kept = "tally-session";
let token = null;
try { token = sessionStorage.getItem(kept); } catch { /* For this page alone, then. */ }
let signOut = () => {};

/// - whenSignedOut: called when the node asks who this is, with why: "wrong" or "over", or null where nobody has said it yet.
export function begin(whenSignedOut) { signOut = whenSignedOut; }

function keep(made) {
  token = made;
  try {
    if (made) sessionStorage.setItem(kept, made); else sessionStorage.removeItem(kept);
  } catch { /* For this page alone, then. */ }
}
/// Opens a session: its token is kept for this tab, the secret nowhere.
export async function signIn(user, secret) {
  keep(null);
  const bytes = new TextEncoder().encode(`${user}:${secret}`);
  const response = await get("/v1/session", { method: "POST", headers: { Authorization: `Basic ${btoa(String.fromCharCode(...bytes))}` } });
  let body = null;
  try { body = await response.json(); } catch { /* below */ }
  if (response.ok && body?.token) return keep(body.token);
  throw body?.error ? new Refused(body.error) : new Unreachable(`${response.status} ${response.statusText}`);
}
/// Ends it, here and at the node.
export function endSession() {
  if (token) get("/v1/session", { method: "DELETE" }).catch(() => { /* It ends by itself. */ });
  keep(null);
}
export const isSignedIn = () => token !== null;

export class Refused extends Error {
  constructor(error) {
    super(error.text ?? "");
    this.code = error.code ?? "ERR";
    this.fields = error;
  }
  /// The node does not know the verb, or this one of the verb's words.
  get isUnknownVerb() {
    return this.code === "ERR" && /^unknown (command|subcommand)|is not a command/.test(this.message);
  }
}
/// No answer came, or none that could be read.
class Unreachable extends Error {}

async function get(path, options) {
  const headers = { ...options?.headers };
  if (token && !headers.Authorization) headers.Authorization = `Bearer ${token}`;
  let response;
  try {
    // Without credentials of the browser's own: it asks nobody for a password then.
    response = await fetch(path, {
      ...options, headers, credentials: "omit", cache: "no-store", signal: AbortSignal.timeout(20_000),
    });
  } catch (error) {
    throw new Unreachable(String(error.message ?? error));
  }
  return response;
}

function ended() {
  const why = token ? "over" : null;
  keep(null);
  signOut(why);
}

/// Records may have a field of that name, which is text.
const errorOf = (reply) => (typeof reply?.error === "object" ? reply.error : null);
/// Replies in the order asked; an error is a `Refused` among them.
export async function ask(...commands) {
  const response = await get("/v1/commands", {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ commands }),
  });
  let body = null;
  try { body = await response.json(); } catch { /* below */ }
  const first = body?.error ?? body?.replies?.map(errorOf).find((error) => error);
  if (response.status === 401) {
    ended();
    throw new Refused(first ?? { code: "NOAUTH", text: "" });
  }
  if (!Array.isArray(body?.replies)) {
    if (body?.error) throw new Refused(body.error);
    throw new Unreachable(`${response.status} ${response.statusText}`);
  }
  const replies = body.replies.map((reply) => (errorOf(reply) ? new Refused(reply.error) : reply));
  if (replies.some((reply) => reply instanceof Refused && reply.code === "NOAUTH")) ended();
  return replies;
}
/// The reply to one command; throws where it is refused.
export async function one(command) {
  const [reply] = await ask(command);
  if (reply instanceof Refused) throw reply;
  return reply;
}
/// Figures by name, each with its labels; null where they are not to be had.
export async function metrics() {
  let response;
  try { response = await get("/metrics"); } catch { return null; }
  if (!response.ok) return null;
  const families = new Map();
  for (const line of (await response.text()).split("\n")) {
    const match = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)/.exec(line);
    if (!match) continue;
    const labels = {};
    for (const [, name, value] of (match[2] ?? "").matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)) labels[name] = value;
    if (!families.has(match[1])) families.set(match[1], []);
    families.get(match[1]).push({ labels, value: Number(match[3]) });
  }
  return families;
}

// What goes into a line.

function quoted(text) {
  const safe = String(text).replace(/[\\"]/g, "\\$&").replace(/[\x00-\x1f\x7f]/g, (byte) =>
    `\\x${byte.charCodeAt(0).toString(16).padStart(2, "0")}`);
  return /^[\w.:+@,/*-]+$/.test(safe) ? safe : `"${safe}"`;
}
/// A word by its place. With an `=` in it, it would be taken for a key.
export function word(text) {
  const trimmed = String(text).trim();
  if (!trimmed || trimmed.includes("=")) throw new Refused({ code: "ERR", text: `'${trimmed}' cannot be asked for` });
  return quoted(trimmed);
}
/// ` key=value` for each that is not empty.
export function keys(values) {
  return Object.entries(values).filter(([, value]) => value !== null && value !== undefined && value !== "")
    .map(([name, value]) => ` ${name}=${quoted(value)}`).join("");
}
/// A request id: the same action, sent again, is done once.
export function requestID() {
  const bytes = crypto.getRandomValues(new Uint8Array(12));
  return `console-${[...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}

// What comes in replies. Words, numbers and lists have types from a node and are texts from elsewhere: both are read.

export const isYes = (value) => value === true || value === "yes";
export function list(value) {
  if (Array.isArray(value)) return value;
  if (value === null || value === undefined || value === "" || value === "none" || value === "unknown") return [];
  return String(value).split(",");
}
export function number(value) {
  if (value === null || value === undefined || value === "" || value === "unknown" || value === "none") return null;
  const result = Number(value);
  return Number.isFinite(result) ? result : null;
}
export const text = (value) => (value === null || value === undefined || value === "none" ? "" : String(value));
