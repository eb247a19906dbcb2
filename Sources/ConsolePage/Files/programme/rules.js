// Rules and the steps of an earning as sentences, in the page's language.

import { text } from "/base/api.js";
import { count } from "/base/format.js";
import { language, t } from "/base/words.js";

const FACTS = {
  merchant: "商户", region: "地区", terminal: "终端", channel: "渠道", type: "交易类型", class: "会员类别", tier: "等级",
  cardtype: "卡种", event: "事件", sku: "商品", category: "品类", brand: "品牌", org: "机构", tag: "标签", quantity: "数量",
  amount: "行金额", spend: "消费额", points: "积分", value: "数值", weekday: "星期", hour: "小时", date: "日期", day: "日",
  month: "月份", age: "年龄", birthday: "生日", first: "首次消费", visits: "到店次数", streak: "连续天数", since: "入会天数", stock: "库存",
};
const WEEKDAYS = { mon: "周一", tue: "周二", wed: "周三", thu: "周四", fri: "周五", sat: "周六", sun: "周日" };
const WORDS = { yes: "是", no: "否", today: "今天" };

// MARK: Conditions

/// `a = b and not (c in (d, e) or f >= 5)` as a tree; null: it is not understood.
function parse(condition) {
  const tokens = condition.match(/"[^"]*"|'[^']*'|<=|>=|!=|[=<>(),]|[^\s=<>!(),"']+/g) ?? [];
  let at = 0;
  const peek = () => tokens[at]?.toLowerCase();
  const take = (token) => (peek() === token ? (at += 1, true) : false);
  const value = () => {
    const token = tokens[at++];
    if (token === undefined || /^[=<>(),]/.test(token)) throw new Error("a value is missing");
    return /^["']/.test(token) ? token.slice(1, -1) : token;
  };
  function either() {
    const parts = [both()];
    while (take("or")) parts.push(both());
    return parts.length > 1 ? { or: parts } : parts[0];
  }
  function both() {
    const parts = [single()];
    while (take("and")) parts.push(single());
    return parts.length > 1 ? { and: parts } : parts[0];
  }
  function single() {
    if (take("not")) return { not: single() };
    if (take("(")) {
      const inner = either();
      if (!take(")")) throw new Error("a parenthesis is not closed");
      return inner;
    }
    const subject = value().toLowerCase();
    if (take("in")) {
      if (!take("(")) throw new Error("a list is missing");
      const values = [value()];
      while (take(",")) values.push(value());
      if (!take(")")) throw new Error("a list is not closed");
      return { subject, sign: "=", values };
    }
    const sign = tokens[at++];
    if (!["=", "!=", "<", "<=", ">", ">="].includes(sign)) throw new Error("a comparison is missing");
    return { subject, sign, values: [value()] };
  }
  try {
    const tree = either();
    return at === tokens.length ? tree : null;
  } catch { return null; }
}
const SIGNS = {
  en: { "=": "is", "!=": "is other than", "<": "is below", "<=": "is at most", ">": "is above", ">=": "is at least" },
  zh: { "=": "为", "!=": "不为", "<": "小于", "<=": "不超过", ">": "大于", ">=": "不少于" },
};
function name(subject) {
  if (language() !== "zh") return subject;
  return FACTS[subject] ?? (subject.startsWith("x.") ? `“${subject.slice(2)}”` : subject);
}
function values(comparison) {
  const isZh = language() === "zh";
  const spaced = (value) => (isZh && /^[\x21-\x7e]/.test(value) ? ` ${value}` : value) + (isZh && /[\x21-\x7e]$/.test(value) ? " " : "");
  const words = comparison.values.map((value) => {
    if (comparison.subject === "amount" || comparison.subject === "spend") {
      const minor = Number(value);
      if (Number.isFinite(minor)) return (minor / 100).toFixed(2);
    }
    return isZh ? WEEKDAYS[value] ?? WORDS[value] ?? value : value;
  });
  if (words.length < 2) return spaced(words.join(""));
  return isZh ? spaced(`${words.slice(0, -1).join("、")}或${words.at(-1)}`) : `${words.slice(0, -1).join(", ")} or ${words.at(-1)}`;
}
function said(tree, inside) {
  const isZh = language() === "zh";
  if (tree.or) {
    const joined = tree.or.map((part) => said(part, "or")).join(isZh ? "，或" : " or ");
    return inside ? (isZh ? `（${joined}）` : `(${joined})`) : joined;
  }
  if (tree.and) {
    const joined = tree.and.map((part) => said(part, "and")).join(isZh ? "且" : " and ");
    return inside === "not" ? (isZh ? `（${joined}）` : `(${joined})`) : joined;
  }
  if (tree.not) {
    if (tree.not.subject && tree.not.sign === "=") {
      return isZh ? `${name(tree.not.subject)}不为${values(tree.not)}` : `${tree.not.subject} is not ${values(tree.not)}`;
    }
    return isZh ? `并非${said(tree.not, "not")}` : `not ${said(tree.not, "not")}`;
  }
  const sign = SIGNS[isZh ? "zh" : "en"][tree.sign];
  return isZh ? `${name(tree.subject)}${sign}${values(tree)}` : `${tree.subject} ${sign} ${values(tree)}`;
}

// MARK: Rules

function deed(rule) {
  const [earn, times, cap] = [text(rule.earn), text(rule.times), text(rule.cap)];
  const points = text(rule.points);
  if (rule.stage === "block") return t("earn nothing");
  if (earn) {
    const [gives, per] = earn.split("/");
    if (text(rule.event)) return t("earn {0} points for each {1} of its value", count(Number(gives)), count(Number(per)));
    return t("earn {0} points for every {1} spent", count(Number(gives)), (Number(per) / 100).toFixed(2));
  }
  if (times) {
    const [up, down] = times.split("/").map(Number);
    return t("earn {0} times the points", Number((up / down).toFixed(4)));
  }
  if (cap) {
    const [most, window] = cap.split("/");
    return t("get at most {0} points {1}", count(Number(most)), t({ sale: "a sale", ever: "ever" }[window] ?? `a ${window}`));
  }
  if (points) return rule.stage === "fixed" ? t("earn {0} points a piece", count(Number(points))) : t("get {0} points more", count(Number(points)));
  return t("earn nothing");
}
/// `Gold members where category is milk earn 3 points for every 1.00 spent.`
export function ruleSentence(rule) {
  const isZh = language() === "zh";
  const tree = text(rule.when) ? parse(text(rule.when)) : null;
  let parts = tree ? tree.and ?? [tree] : [];
  let who = t("Members");
  const group = parts.find((part) => (part.subject === "tier" || part.subject === "class") && part.sign === "=");
  if (group) {
    parts = parts.filter((part) => part !== group);
    who = isZh ? `${values(group).trim()} 会员` : `${values(group)} members`;
  }
  const conditions = text(rule.when) && !tree ? [text(rule.when)] : parts.map((part) => said(part, "and"));
  const scopes = [text(rule.event) && t("with the event {0}", text(rule.event)), text(rule.merchant) && t("at merchant {0}", text(rule.merchant)),
    text(rule.org) && t("at merchants of {0}", text(rule.org))].filter(Boolean);
  if (isZh) {
    const when = [...scopes, ...conditions].join("且").trim();
    return `${who}${when ? `，当${/^[\x21-\x7e]/.test(when) ? " " : ""}${when}${/[\x21-\x7e]$/.test(when) ? " " : ""}时，` : ""}${deed(rule)}。`;
  }
  const where = conditions.length ? ` where ${conditions.join(" and ")}` : "";
  return capital(`${[who, ...scopes].join(" ")}${where} ${deed(rule)}.`);
}
const capital = (words) => (words ? words[0].toUpperCase() + words.slice(1) : "");

// MARK: Steps

/// A step of an `EXPLAIN`, without its sums. Of a rule that is known the rule's own sentence, else what the node says.
export function stepSentence(step, rules) {
  const rule = rules?.get(text(step.rule));
  if (rule && (text(step.version) === "" || String(rule.version) === String(step.version))) return ruleSentence(rule);
  const english = text(step.text).replace(/: -?\d+ → -?\d+$/, "");
  const patterns = [
    [/^the program gives (\d+)\/(\d+)$/, (m) => t("The program gives {0} points for every {1} spent.", m[1], (m[2] / 100).toFixed(2))],
    [/^the merchant gives (\d+)\/(\d+)$/, (m) => t("The merchant gives {0} points for every {1} spent.", m[1], (m[2] / 100).toFixed(2))],
    [/^the request says how many points$/, () => t("The request says how many points.")],
    [/^(.+) members earn (\d+)\/(\d+)(, which adds nothing here)?$/, (m) =>
      t("{0} members earn {1} times the points.", m[1], Number((m[2] / m[3]).toFixed(4))) + (m[4] ? ` ${t("That adds nothing here.")}` : "")],
    [/^(.+) cards earn (\d+)\/(\d+)(, which adds nothing here)?$/, (m) =>
      t("{0} cards earn {1} times the points.", m[1], Number((m[2] / m[3]).toFixed(4))) + (m[4] ? ` ${t("That adds nothing here.")}` : "")],
    [/^the program gives at most (\d+)\/(\w+)$/, (m) => t("The program gives at most {0} points {1}.", m[1], t({ sale: "a sale", ever: "ever" }[m[2]] ?? `a ${m[2]}`))],
    [/^the budget of campaign (\S+) has no more$/, (m) => t("The budget of campaign {0} has no more.", m[1])],
    [/^each rule's points are rounded down once; (-?\d+) points join the lot that ends at (\S+)$/, (m) =>
      t("Each rule's points are rounded down once; {0} points join the lot that ends at {1}.", m[1], m[2].replace("T", " ").replace("Z", " UTC"))],
    [/^each rule's points are rounded down once; (-?\d+) points join the lot that never ends$/, (m) =>
      t("Each rule's points are rounded down once; {0} points join the lot that never ends.", m[1])],
  ];
  for (const [pattern, make] of patterns) {
    const match = pattern.exec(english);
    if (match) return capital(make(match));
  }
  return english ? `${capital(english)}.` : "";
}
