// Live lines and bars of this page's own, drawn as SVG.

import { h, mark, say, svg } from "/base/dom.js";
import { t } from "/base/words.js";

const WIDTH = 300, HEIGHT = 72;
/// How many readings a line shows.
export const LENGTH = 150;

/// A tile with the latest figure, and the line behind it.
/// - lines: `{name, mark}`; the first is the one whose figure is shown large.
export function liveChart(title, lines, format, hint) {
  const figure = h("strong", { class: "figure" }, "–");
  const more = h("span", { class: "more" });
  const top = h("span");
  const read = h("span", { class: "reading" });
  const paths = lines.map((line) => svg("path", { class: `line ${line.mark}` }));
  const area = svg("path", { class: `area ${lines[0].mark}` });
  const cursor = svg("line", { class: "cursor", y1: 0, y2: HEIGHT, visibility: "hidden" });
  const image = svg("svg", {
    viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img", class: "chart",
  }, area, paths, cursor);
  const element = h("figure", { class: "tile" },
    h("figcaption", { title: hint }, title, read), h("p", { class: "figures" }, figure, more), image,
    h("p", { class: "axis" }, h("span", null, t("5 min ago")), top, h("span", null, t("now"))));
  let shown = lines.map(() => []);
  image.addEventListener("pointermove", (event) => {
    const box = image.getBoundingClientRect();
    const back = Math.round((1 - (event.clientX - box.left) / box.width) * (LENGTH - 1));
    const place = shown[0].length - 1 - back;
    const x = WIDTH - (back * WIDTH) / (LENGTH - 1);
    mark(cursor, "visibility", place >= 0 ? "visible" : "hidden");
    mark(cursor, "x1", x);
    mark(cursor, "x2", x);
    say(read, place < 0 ? "" : shown.map((values) => format(values[place] ?? null)).join(" · "));
  });
  image.addEventListener("pointerleave", () => {
    mark(cursor, "visibility", "hidden");
    say(read, "");
  });
  element.show = (series) => {
    shown = series;
    const highest = Math.max(0, ...series.flat().filter((value) => value !== null));
    const scale = nice(highest);
    // A second line that never rises says nothing.
    paths.forEach((path, i) => mark(path, "d", i > 0 && !series[i].some((value) => value > 0) ? "" : drawn(series[i], scale)));
    mark(area, "d", filled(series[0], scale));
    const now = series.map((values) => values.at(-1) ?? null);
    say(figure, format(now[0]));
    say(more, lines.slice(1).map((line, i) => `${line.name} ${format(now[i + 1])}`).join(" · "));
    say(top, highest > 0 ? t("top {0}", format(scale)) : "");
    mark(image, "aria-label", `${title}: ${lines.map((line, i) => `${line.name} ${format(now[i])}`).join(", ")}`);
  };
  return element;
}
/// The next of 1, 2, 5, 10, 20 … that is not below.
function nice(value) {
  if (value <= 0) return 1;
  const unit = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].find((step) => step * unit >= value * 0.999) * unit;
}
function points(values, scale) {
  const first = WIDTH - ((values.length - 1) * WIDTH) / (LENGTH - 1);
  return values.map((value, i) => value === null ? null
    : [(first + (i * WIDTH) / (LENGTH - 1)).toFixed(1), (HEIGHT - 2 - (value / scale) * (HEIGHT - 6)).toFixed(1)]);
}
function drawn(values, scale) {
  let path = "", isBroken = true;
  for (const point of points(values, scale)) {
    if (point) path += `${isBroken ? "M" : "L"}${point[0]} ${point[1]}`;
    isBroken = point === null;
  }
  return path;
}
function filled(values, scale) {
  const known = points(values, scale).filter((point) => point);
  if (known.length < 2) return "";
  return `M${known[0][0]} ${HEIGHT}${known.map((p) => `L${p[0]} ${p[1]}`).join("")}L${known.at(-1)[0]} ${HEIGHT}Z`;
}

/// Rows of a name, a bar and a figure.
export function bars(rows, format) {
  const most = Math.max(1, ...rows.map((row) => Math.abs(row.value)));
  return h("div", { class: "bars", role: "list" }, rows.map((row) => {
    const bar = h("span", { class: row.value < 0 ? "bar bad" : "bar" });
    bar.style.width = `${(Math.abs(row.value) / most) * 100}%`;
    return h("div", { role: "listitem" },
      h("span", { class: "name" }, row.name), h("span", { class: "track" }, bar), h("span", { class: "n" }, format(row.value)));
  }));
}
/// Columns over time, the oldest left; what is below zero hangs. Pointed at, each says its name and figure.
export function columns(rows, format, label) {
  const [low, high] = [Math.min(0, ...rows.map((row) => row.value)), Math.max(0, ...rows.map((row) => row.value))];
  const [height, step] = [100, WIDTH / Math.max(1, rows.length)];
  // A few days are no walls.
  const broad = Math.min(step * 0.8, WIDTH / 16);
  const y = (value) => ((high - value) / Math.max(1, high - low)) * height;
  const read = h("span", { class: "reading" });
  const shapes = rows.map((row, i) => svg("rect", {
    class: row.value < 0 ? "column bad" : "column", x: (i * step + (step - broad) / 2).toFixed(2), width: broad.toFixed(2),
    y: Math.min(y(0), y(row.value)).toFixed(2), height: Math.abs(y(row.value) - y(0)).toFixed(2),
  }));
  const image = svg("svg", { viewBox: `0 0 ${WIDTH} ${height}`, preserveAspectRatio: "none", role: "img", class: "columns",
    "aria-label": `${label}: ${rows.map((row) => `${row.name} ${format(row.value)}`).join(", ")}` },
  shapes, svg("line", { class: "zero", x1: 0, x2: WIDTH, y1: y(0).toFixed(2), y2: y(0).toFixed(2) }));
  image.addEventListener("pointermove", (event) => {
    const box = image.getBoundingClientRect();
    const row = rows[Math.min(rows.length - 1, Math.max(0, Math.floor(((event.clientX - box.left) / box.width) * rows.length)))];
    say(read, row ? `${row.name}: ${format(row.value)}` : "");
  });
  image.addEventListener("pointerleave", () => say(read, ""));
  return h("figure", { class: "over-time" },
    h("figcaption", null, h("span", null, t("top {0}", format(high))), read), image,
    h("p", { class: "axis" }, h("span", null, rows[0]?.name ?? ""), h("span", null, rows.length > 1 ? rows.at(-1).name : "")));
}
/// How a sum came about: a bar from the total before each step to the one after.
export function waterfall(steps) {
  const most = Math.max(1, ...steps.map((step) => Math.max(step.total, step.total - step.points)));
  return steps.map((step) => {
    const [low, high] = [Math.min(step.total, step.total - step.points), Math.max(step.total, step.total - step.points)];
    const bar = h("span", { class: step.points < 0 ? "bar bad" : step.points === 0 ? "bar none" : "bar" });
    bar.style.marginInlineStart = `${(low / most) * 100}%`;
    bar.style.width = `max(2px, ${((high - low) / most) * 100}%)`;
    return h("span", { class: "track", "aria-hidden": "true" }, bar);
  });
}
/// A share of a whole, from 0 to 1.
export function meter(label, share, tone) {
  const bar = h("span", { class: `bar ${tone ?? ""}` });
  const element = h("span", { class: "meter", role: "img" }, bar);
  element.show = (value, toneNow) => {
    const part = Math.min(1, Math.max(0, value));
    bar.style.width = `${part * 100}%`;
    mark(bar, "class", `bar ${toneNow ?? tone ?? ""}`);
    mark(element, "aria-label", `${label}: ${Math.round(part * 100)} %`);
  };
  element.show(share);
  return element;
}
/// The balance after each movement, oldest first.
export function sparkline(values, label) {
  const [low, high] = [Math.min(0, ...values), Math.max(1, ...values)];
  const x = (i) => values.length < 2 ? WIDTH : (i * WIDTH) / (values.length - 1);
  const y = (value) => 38 - ((value - low) / (high - low)) * 36;
  let path = "";
  values.forEach((value, i) => {
    path += i === 0 ? `M${x(0).toFixed(1)} ${y(value).toFixed(1)}` : `H${x(i).toFixed(1)}V${y(value).toFixed(1)}`;
  });
  return svg("svg", { viewBox: `0 0 ${WIDTH} 40`, preserveAspectRatio: "none", class: "spark", role: "img", "aria-label": label },
    svg("path", { class: "line a", d: path }));
}
