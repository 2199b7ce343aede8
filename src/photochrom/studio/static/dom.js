/** Functions that create, find and change elements of the page. */
import { t } from "./words.js";

const SECONDS = 6; // for which a message is shown
/** Seconds for which a message with buttons is shown. */
export const SECONDS_TO_ACT = 20;

/**
 * Create an element.
 * @param {string} tag
 * @param {Record<string, unknown>} [properties] attributes; `on` + event names are listeners, `data` is the dataset
 * @param {(Node | string)[]} children
 * @returns {HTMLElement}
 */
export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), /** @type {EventListener} */ (value));
    else if (name === "data") Object.assign(element.dataset, value);
    else if (typeof value === "boolean") element.toggleAttribute(name, value);
    else if (value != null) element.setAttribute(name, String(value));
  }
  element.append(...children);
  return element;
}

/** @param {string} selector @returns {HTMLElement} */
export function find(selector) {
  return /** @type {HTMLElement} */ (document.querySelector(selector));
}

/** Keep a number within limits. @param {number} x @param {number} low @param {number} high */
export function clamp(x, low, high) {
  return Math.min(Math.max(x, low), high);
}

/**
 * Show a message for some seconds, or an error until the visitor closes it; an error that is shown is not repeated.
 * @param {string} text
 * @param {boolean} [isError]
 * @param {HTMLElement[]} actions buttons, which close the message, too
 * @returns {Element} the message
 */
export function showMessage(text, isError = false, ...actions) {
  const same = [...find("#messages").children].find((other) => other.firstElementChild?.textContent === text);
  if (isError && same) return same;
  const message = make("p", { class: isError ? "error" : "" }, make("span", {}, text));
  const close = make("button", { type: "button", "aria-label": t("Close"), onclick: () => message.remove() }, "×");
  for (const action of actions) action.addEventListener("click", () => message.remove());
  message.append(...actions, close);
  find("#messages").append(message);
  if (!isError) setTimeout(() => message.remove(), (actions.length ? SECONDS_TO_ACT : SECONDS) * 1000);
  return message;
}

/** Download a file. @param {string} url @param {string} [name] */
export function save(url, name = "") {
  const link = /** @type {HTMLAnchorElement} */ (make("a", { href: url, download: name }));
  document.body.append(link);
  link.click();
  link.remove();
}

/** Return whether an element is a field into which keys are typed. @param {EventTarget | null} target */
export function isField(target) {
  return target instanceof HTMLElement && target.matches("input:not([type=range]), select, textarea");
}
