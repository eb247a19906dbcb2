// The page's words: English in the code, Chinese here.

import { zh } from "/base/words-zh.js";

let current = "en";
export const language = () => current;
export function setLanguage(name) { current = name; }

/// The words in the page's language; `{0}` and so on are filled in. What has no translation is shown as it is: much of it is
/// what a node says.
export function t(words, ...values) {
  const found = current === "zh" ? zh[words] ?? words : words;
  if (values.length === 0) return found;
  const filled = found.replace(/\{(\d)\}/g, (_, place) => String(values[place] ?? ""));
  return current === "zh" ? filled : filled.replace(/(?<before>^|[^\d.,])1 (?<noun>point|member|transaction|shard|node|day|step)s\b/g, "$<before>1 $<noun>");
}
