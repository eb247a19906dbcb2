// Elements, made without a line of markup: whatever a node says is text.

const SVG = "http://www.w3.org/2000/svg";

/// `h("td", {class: "n"}, "5")`: properties that begin with `on` are listeners, null and false are left out.
export function h(tag, properties, ...children) {
  return fill(document.createElement(tag), properties, children);
}
export function svg(tag, properties, ...children) {
  return fill(document.createElementNS(SVG, tag), properties, children);
}
function fill(element, properties, children) {
  for (const [name, value] of Object.entries(properties ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "value") element.value = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  put(element, ...children);
  return element;
}
/// Appends texts, elements and lists of these.
export function put(element, ...children) {
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    element.append(child instanceof Node ? child : String(child));
  }
  return element;
}
export function replace(element, ...children) {
  element.replaceChildren();
  return put(element, ...children);
}
/// A text that is written only where it changes: a selection and a screen reader are left alone.
export function say(element, text) {
  const words = String(text);
  if (element.textContent !== words) element.textContent = words;
}
export function mark(element, name, value) {
  if (value === null || value === false) element.removeAttribute(name);
  else if (element.getAttribute(name) !== String(value)) element.setAttribute(name, value);
}

/// Has `parent` show one child for each item, in order; children of items that stay stay, and so does the focus.
export function keyed(parent, items, key, create, update) {
  const known = parent.known ??= new Map();
  const wanted = new Set(items.map(key));
  for (const [name, child] of known) {
    if (wanted.has(name)) continue;
    child.remove();
    known.delete(name);
  }
  items.forEach((item, place) => {
    let child = known.get(key(item));
    if (!child) {
      child = create(item);
      known.set(key(item), child);
    }
    if (parent.children[place] !== child) parent.insertBefore(child, parent.children[place] ?? null);
    update?.(child, item);
  });
}

export function button(text, act, properties) {
  return h("button", { type: "button", onclick: act, ...properties }, text);
}
let count = 0;
/// A label with its input, select or text area.
export function field(label, input, hint) {
  const id = `f${++count}`;
  input.id = id;
  const told = hint ? h("small", { id: `${id}-hint` }, hint) : null;
  if (told) input.setAttribute("aria-describedby", told.id);
  return h("div", { class: "field" }, h("label", { for: id }, label), input, told);
}
export function select(options, value) {
  const element = h("select", null,
    options.map((option) => {
      const [key, text] = Array.isArray(option) ? option : [option, option];
      return h("option", { value: key }, text);
    }));
  if (value !== undefined) element.value = value;
  return element;
}
/// Until the node has answered.
export const waiting = (words) => h("p", { class: "faint waiting" }, words);
/// A panel with a heading.
export function panel(title, properties, ...children) {
  const { tools, ...rest } = properties ?? {};
  return h("section", { class: "panel", ...rest, "aria-label": title },
    h("header", { class: "head" }, h("h2", null, title), tools), children);
}
