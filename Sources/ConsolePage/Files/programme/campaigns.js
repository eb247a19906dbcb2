// Campaigns with what they gave, and quotas with what is left.

import { ask, number, Refused, text, word } from "/base/api.js";
import { bars, meter } from "/base/charts.js";
import { problem } from "/base/dialog.js";
import { button, h, panel, put, replace, waiting } from "/base/dom.js";
import { count, moment, money, saveCSV } from "/base/format.js";
import { statePill } from "/programme/members.js";
import { t } from "/base/words.js";

export function campaignsPage(view) {
  const place = h("div"), quotas = h("div");
  put(view, h("h1", null, t("Campaigns")), place, panel(t("Quotas"), null, quotas));
  load();
  async function load() {
    replace(place, waiting(t("Asking the node …")));
    try {
      const [campaigns, all] = await ask("CAMPAIGN LIST limit=200", "QUOTA LIST limit=200");
      if (campaigns instanceof Refused) throw campaigns;
      const mine = campaigns.filter((one) => one.campaign !== undefined);
      const reports = mine.length ? await ask(...mine.map((one) => `CAMPAIGN REPORT ${word(text(one.campaign))}`)) : [];
      const budgets = new Map();
      const rows = all instanceof Refused ? [] : all.filter((one) => one.quota !== undefined);
      const shown = rows.length ? await ask(...rows.map((one) => `QUOTA SHOW ${word(text(one.quota))}`)) : [];
      rows.forEach((row, i) => budgets.set(text(row.quota), shown[i] instanceof Refused ? row : shown[i]));
      showCampaigns(place, mine, reports, budgets);
      replace(quotas, all instanceof Refused ? problem(all) : budgets.size === 0 ? h("p", { class: "empty" }, t("There are no quotas.")) : h("ul", { class: "quotas" }, [...budgets.values()].map(quota)));
    } catch (error) { replace(place, problem(error)); }
  }
}
function showCampaigns(place, campaigns, reports, budgets) {
  if (campaigns.length === 0) return void replace(place, h("p", { class: "empty" }, t("There are no campaigns.")));
  const known = campaigns.map((one, i) => ({ name: text(one.campaign), report: reports[i] })).filter((one) => !(one.report instanceof Refused));
  const save = button("CSV", () => saveCSV("campaigns", ["campaign", "members", "transactions", "points", "spend", "left"],
    known.map(({ name, report }) => [name, report.members, report.transactions, report.points, report.spend, report.left])), { class: "quiet small" });
  replace(place, h("div", { class: "cards" }, campaigns.map((one, i) => {
    const report = reports[i];
    return h("article", { class: "panel card" }, h("header", { class: "head" }, h("h2", null, text(one.title) || text(one.campaign)), statePill(text(one.state))),
      h("p", { class: "faint" }, text(one.campaign), one.from ? [" · ", t("from"), " ", moment(one.from, { short: true })] : null, one.until ? [" ", t("until"), " ", moment(one.until, { short: true })] : null),
      report instanceof Refused ? problem(report) : h("dl", { class: "figures-list" }, [["Points", count(number(report.points))], ["Members", count(number(report.members))],
        ["Purchases", count(number(report.transactions))], ["Spend", money(number(report.spend))]].map(([name, value]) => h("div", null, h("dt", null, t(name)), h("dd", null, value)))),
      budgets.has(text(one.budget)) ? h("ul", { class: "quotas" }, quota(budgets.get(text(one.budget)))) : null);
  })), known.length > 1 ? panel(t("Points by campaign"), { tools: save }, bars(known.map(({ name, report }) => ({ name, value: number(report.points) ?? 0 })), count)) : null);
}
function quota(record) {
  const [limit, used, left] = [number(record.limit), number(record.used), number(record.left)];
  const share = limit && used !== null ? used / limit : 0;
  return h("li", { class: "quota" }, h("span", { class: "line" }, h("strong", null, text(record.quota)), statePill(text(record.state)),
    h("span", { class: "facts" }, limit === null ? t("without limit") : used === null ? t("{0} a period", count(limit)) : t("{0} of {1} used, {2} left", count(used), count(limit), count(left)),
      ` · ${t(text(record.per) === "ever" ? "ever" : `a ${text(record.per)}`)}`)), meter(t("Used"), share, share > 0.9 ? "bad" : share > 0.75 ? "warn" : ""));
}
