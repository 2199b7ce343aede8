/** Translations of the page's texts, with the English text as the key. */

/** @type {Record<string, string>} */
let strings = {};

/**
 * Translate a text.
 * @param {string} text in English; `{name}` is replaced by a value
 * @param {Record<string, string | number>} [values]
 */
export function t(text, values = {}) {
  return (strings[text] || text).replace(/\{(\w+)\}/g, (_, name) => String(values[name]));
}

/**
 * Translate a message of the studio, which may contain values, such as "old.jpg: is cut short: get a whole copy of the file".
 * Catalogues contain the parts between colons, with {1}, {2} and so on for values. Other messages are returned in English.
 * @param {string} message
 */
export function translateMessage(message) {
  const whole = filled(message);
  if (whole) return whole;
  const parts = message.split(": ");
  const known = parts.map(filled);
  if (parts.length > 1 && !known[0]) known[0] = parts[0]; // the name of a file
  return known.every(Boolean) ? known.join(t(": ")) : message;
}

/** @param {string} text @returns {string | undefined} its translation with the values filled in */
function filled(text) {
  if (strings[text]) return strings[text];
  for (const [pattern, translation] of patterns) {
    const match = pattern.exec(text);
    if (match) return translation.replace(/\{(\d+)\}/g, (_, number) => strings[match[number]] || match[number]);
  }
  return undefined;
}

/** Translations of texts with numbered values. @type {[RegExp, string][]} */
let patterns = [];

function patternsOf() {
  return Object.entries(strings).filter(([text]) => text.includes("{1}")).map(([text, translation]) => {
    const escaped = text.replace(/[.*+?^$()|[\]\\]/g, "\\$&").replace(/\{\d+\}/g, "(.*?)");
    return /** @type {[RegExp, string]} */ ([new RegExp(`^${escaped}$`, "s"), translation]);
  });
}

/** Mark a text for translation; `t` or `translate` translates it later. @param {string} text */
export const n = (text) => text;

/** Choose the language: the one chosen before, otherwise the browser's. @param {string[]} languages */
export function preferred(languages) {
  const wanted = [localStorage.getItem("language"), ...navigator.languages.map((tag) => tag.slice(0, 2))];
  return wanted.find((tag) => tag && languages.includes(tag)) || "en";
}

/** Load a language and translate the page. @param {string} language */
export async function loadLanguage(language) {
  const response = await fetch(`/api/strings/${language}`);
  strings = response.ok ? await response.json() : {};
  patterns = patternsOf();
  document.documentElement.lang = language;
  translate(document.body);
}

/** Translate the elements with texts. @param {ParentNode} root */
export function translate(root) {
  for (const element of root.querySelectorAll("[data-t]")) element.textContent = t(element.dataset.t);
  for (const element of root.querySelectorAll("[data-label]")) {
    element.setAttribute("aria-label", t(element.dataset.label));
  }
  for (const element of root.querySelectorAll("[data-title]")) {
    element.title = `${t(element.dataset.label)} (${element.dataset.title})`;
  }
}
