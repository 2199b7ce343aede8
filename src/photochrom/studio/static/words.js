/** The words of the page. The English text is the key; catalogues translate it. */

/** @type {Record<string, string>} */
let strings = {};

/**
 * Translate a text.
 * @param {string} text in English; `{name}` stands for a value
 * @param {Record<string, string | number>} [values]
 */
export function t(text, values = {}) {
  return (strings[text] || text).replace(/\{(\w+)\}/g, (_, name) => String(values[name]));
}

/** Mark a text for translation; `t` or `translate` translates it later. @param {string} text */
export const n = (text) => text;

/** Choose the language: the one chosen before, else the browser's. @param {string[]} languages */
export function preferred(languages) {
  const wanted = [localStorage.getItem("language"), ...navigator.languages.map((tag) => tag.slice(0, 2))];
  return wanted.find((tag) => tag && languages.includes(tag)) || "en";
}

/** Load a language and translate what is on the page. @param {string} language */
export async function speak(language) {
  const response = await fetch(`/api/strings/${language}`);
  strings = response.ok ? await response.json() : {};
  document.documentElement.lang = language;
  translate(document.body);
}

/** Translate the elements that carry a text. @param {ParentNode} root */
export function translate(root) {
  for (const element of root.querySelectorAll("[data-t]")) element.textContent = t(element.dataset.t);
  for (const element of root.querySelectorAll("[data-label]")) {
    element.setAttribute("aria-label", t(element.dataset.label));
  }
  for (const element of root.querySelectorAll("[data-title]")) element.title = element.dataset.title;
}
