/** The popover at a click: likely colours, recently used ones, and a picker for any other. */
import * as api from "./api.js";
import { clamp, find, make } from "./dom.js";
import { toStage } from "./stage.js";
import { isSameMark, store } from "./store.js";
import { t } from "./words.js";

const popover = find("#popover");
const box = find("#canvas");
const SAME_PLACE = 0.015; // share of the picture's sides within which a new colour replaces an old one
/** Whether the popover belongs to what the page shows, or to another picture or a mark that has changed. */
let isCurrent = () => true;

/** Open the popover at a place of the picture. @param {number} x @param {number} y */
export function openAt(x, y) {
  const near = store.item.marks.findIndex(
    ({ kind, places: [[px, py]] }) => kind === "point" && Math.max(Math.abs(px - x), Math.abs(py - y)) < SAME_PLACE,
  );
  if (near >= 0) return openFor(near);
  const put = (color, suggested) => {
    store.use(color);
    return store.mark([...store.item.marks, { kind: "point", color, places: [[x, y]], radius: 0.01, suggested }]);
  };
  const { picture } = store;
  return open(x, y, () => store.picture === picture, put, null);
}

/** Open the popover for an existing mark. @param {number} number */
export function openFor(number) {
  const mark = store.item.marks[number];
  const [x, y] = mark.places[Math.floor(mark.places.length / 2)];
  const change = (color, suggested) => {
    store.use(color);
    return store.mark(store.item.marks.map((m, i) => (i === number ? { ...m, color, suggested } : m)));
  };
  const { picture } = store;
  const isSame = () => store.picture === picture && isSameMark(store.item.marks[number], mark);
  return open(x, y, isSame, change, () => store.mark(store.item.marks.filter((_, i) => i !== number)), mark.color);
}

export function close() {
  if (popover.hidden) return;
  popover.hidden = true;
  popover.replaceChildren();
  box.focus({ preventScroll: true });
}

/**
 * @param {number} x @param {number} y
 * @param {() => boolean} isStillCurrent
 * @param {(color: string, suggested: boolean) => Promise<void>} choose
 * @param {(() => Promise<void>) | null} remove
 * @param {string} [present]
 */
async function open(x, y, isStillCurrent, choose, remove, present = store.color) {
  isCurrent = isStillCurrent;
  const pick = (color, suggested) => {
    close();
    store.changed("put");
    choose(color, suggested);
  };
  const swatch = (color, suggested, key) => make("button", {
    type: "button", class: "swatch", title: color, "aria-label": `${color}${key ? ` (${key})` : ""}`,
    data: { color }, onclick: () => pick(color, suggested),
  });
  const paint = (buttons) => {
    for (const button of buttons) button.style.background = button.dataset.color;
    return buttons;
  };
  const likely = make("div", { class: "swatches", "aria-label": t("Likely here"), role: "group" }, "…");
  const own = /** @type {HTMLInputElement} */ (make("input", { type: "color", value: present, "aria-label": t("Another colour") }));
  const buttons = [make("button", { type: "button", class: "put", onclick: () => pick(own.value, false) }, t("Use this colour"))];
  if (remove) buttons.push(make("button", { type: "button", class: "remove", onclick: () => { close(); remove(); } }, t("Remove")));
  popover.replaceChildren(
    make("p", {}, t("Likely here")), likely,
    ...(store.recent.length ? [make("p", {}, t("Recent colours")),
      make("div", { class: "swatches" }, ...paint(store.recent.map((color) => swatch(color, false))))] : []),
    make("div", { class: "row" }, own, ...buttons),
  );
  popover.hidden = false;
  place(x, y);
  const colors = await store.try(() => api.likely(store.shown, x, y));
  if (!likely.isConnected) return; // closed, or opened elsewhere
  likely.replaceChildren(...paint((colors || []).map((color, i) => swatch(color, true, i + 1))));
  place(x, y);
  if (!popover.contains(document.activeElement)) (likely.querySelector("button") || own).focus({ preventScroll: true });
}

/** Position the popover beside the place, within the window. @param {number} x @param {number} y */
function place(x, y) {
  const stage = box.getBoundingClientRect();
  const { left, top } = toStage(x, y);
  const { offsetWidth, offsetHeight } = popover;
  const isLeft = stage.left + left + 20 + offsetWidth > innerWidth;
  popover.style.left = `${clamp(stage.left + left + (isLeft ? -20 - offsetWidth : 20), 8, innerWidth - offsetWidth - 8)}px`;
  popover.style.top = `${clamp(stage.top + top - offsetHeight / 2, 8, innerHeight - offsetHeight - 8)}px`;
}

popover.addEventListener("keydown", (event) => {
  const number = Number(event.key);
  const likely = popover.querySelectorAll(".swatches")[0]?.querySelectorAll("button");
  if (event.key === "Escape") close();
  else if (number >= 1 && likely?.[number - 1]) /** @type {HTMLElement} */ (likely[number - 1]).click();
  else if (event.key === "Tab") return cycle(event);
  else return;
  event.preventDefault();
  event.stopPropagation();
});

/** Keep the focus inside the popover. @param {KeyboardEvent} event */
function cycle(event) {
  const all = [...popover.querySelectorAll("button, input")];
  const at = all.indexOf(/** @type {Element} */ (document.activeElement));
  const next = all[(at + (event.shiftKey ? -1 : 1) + all.length) % all.length];
  /** @type {HTMLElement} */ (next).focus();
  event.preventDefault();
}

document.addEventListener("pointerdown", (event) => {
  if (!popover.hidden && !popover.contains(/** @type {Node} */ (event.target))) close();
}, true);
for (const event of ["item", "marks"]) store.addEventListener(event, () => popover.hidden || isCurrent() || close());
