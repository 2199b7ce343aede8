/** The tray: all photographs and films that were dropped, as a film strip. */
import { picture } from "./api.js";
import { find, make } from "./dom.js";
import { store } from "./store.js";
import { t } from "./words.js";

const tray = find("#tray");
/** Files that are still being sent. @type {Set<string>} */
const coming = new Set();

/** @param {string} name @param {boolean} isComing */
export function announce(name, isComing) {
  if (isComing) coming.add(name);
  else coming.delete(name);
  draw();
}

function draw() {
  tray.hidden = store.items.length + coming.size === 0;
  const focused = /** @type {HTMLElement | null} */ (document.activeElement)?.dataset.item;
  const there = new Map([...tray.querySelectorAll("[data-key]")].map((entry) => [entry.dataset.key, entry]));
  const entries = store.items.map((item) => there.get(item.id) || entryOf(item));
  entries.forEach((entry, i) => show(entry, store.items[i]));
  const waiting = [...coming].map((name) => make("span", { class: "coming", title: name }, name));
  const more = make("button", { type: "button", class: "more", "aria-label": t("Add more"), title: t("Add more"), onclick: () => find("#files").click() }, "+");
  const photographs = store.items.filter((item) => item.kind === "photo").length;
  const all = make("a", { class: "all", href: "/api/items/archive", download: "photochrom.zip" }, t("Download all {count}", { count: photographs }));
  tray.replaceChildren(...entries, ...waiting, more, ...(photographs > 1 ? [all] : []));
  if (focused) /** @type {HTMLElement | null} */ (tray.querySelector(`[data-item="${focused}"]`))?.focus();
}

/** @param {any} item */
function entryOf(item) {
  const open = make("button", { type: "button", class: "open", title: item.name, "aria-label": item.name, data: { item: item.id },
    onclick: () => store.show(item.id) }, make("img", { alt: "", loading: "lazy" }), make("span", { class: "state" }));
  const remove = make("button", { type: "button", class: "remove", "aria-label": t("Remove {name}", { name: item.name }),
    onclick: () => store.remove(item.id) }, "×");
  return make("div", { class: `entry ${item.kind}`, data: { key: item.id } }, open, remove);
}

/** @param {HTMLElement} entry @param {any} item */
function show(entry, item) {
  const isShown = item.id === store.shown;
  const open = /** @type {HTMLElement} */ (entry.querySelector(".open"));
  open.setAttribute("aria-current", String(isShown));
  const image = /** @type {HTMLImageElement} */ (entry.querySelector("img"));
  if (item.kind === "photo" || !image.src) setSource(image, picture(item, "small"));
  const state = /** @type {HTMLElement} */ (entry.querySelector(".state"));
  const text = item.kind === "film" ? stateOf(item.job) : item.marks.length ? String(item.marks.length) : "";
  state.dataset.text = text;
  open.setAttribute("aria-label", text ? `${item.name} (${text})` : item.name);
  if (isShown && entry.dataset.seen !== "yes") requestAnimationFrame(() => entry.scrollIntoView({ block: "nearest", inline: "nearest" }));
  entry.dataset.seen = isShown ? "yes" : "";
}

/** The old picture stays until the new one is there. @param {HTMLImageElement} image @param {string} source */
function setSource(image, source) {
  if (image.getAttribute("src") !== source) image.src = source;
}

/** @param {any} job */
function stateOf(job) {
  const share = job.total ? `${Math.floor((100 * job.done) / job.total)} %` : "…";
  return { waiting: t("waiting"), running: share, done: "✓", failed: "!", stopped: "◼", none: "▶" }[job.status];
}

tray.addEventListener("keydown", (event) => {
  const { item } = /** @type {HTMLElement} */ (event.target).dataset;
  if (item && event.key === "Delete") store.remove(item);
});
store.addEventListener("items", draw);
