/** The tray: all dropped photographs and films, as a film strip. */
import { picture } from "./api.js";
import { find, make } from "./dom.js";
import { store } from "./store.js";
import { t } from "./words.js";

const tray = find("#tray");
const strip = find("#strip");
const HEIGHT = 64; // height of a picture in screen pixels
/** Files being uploaded. @type {Set<{file: File, folder: string}>} */
const coming = new Set();

/** @param {{file: File, folder: string}[]} files @param {boolean} isComing */
export function announce(files, isComing) {
  for (const each of files) isComing ? coming.add(each) : coming.delete(each);
  draw();
}

/** The buttons at the end of the tray, in the language of the page. */
export function build() {
  const button = (id, text, label, act) => make("button", { type: "button", id, title: label, "aria-label": label, onclick: act }, text);
  find("#tray-buttons").replaceChildren(
    button("more", "+", t("Add more"), () => find("#files").click()),
    button("overview-button", "▦", `${t("Overview")} (G)`, () => store.setView(store.view === "overview" ? "color" : "overview")),
  );
  draw();
}

function draw() {
  tray.hidden = store.items.length + coming.size === 0;
  const focused = /** @type {HTMLElement | null} */ (document.activeElement)?.dataset.item;
  const there = new Map([...strip.querySelectorAll("[data-key]")].map((entry) => [entry.dataset.key, entry]));
  const entries = store.items.map((item) => there.get(item.id) || entryOf(item));
  entries.forEach((entry, i) => show(entry, store.items[i]));
  const names = [...coming].map(({ file, folder }) => (folder ? `${folder}/${file.name}` : file.name));
  const waiting = names.map((name) => make("span", { class: "coming", title: name }, name));
  const { scrollLeft } = strip;
  strip.replaceChildren(...entries, ...waiting);
  strip.scrollLeft = scrollLeft;
  if (focused) /** @type {HTMLElement | null} */ (strip.querySelector(`[data-item="${focused}"]`))?.focus();
}

/** @param {any} item */
function entryOf(item) {
  const width = Math.round(Math.min(130, Math.max(44, (HEIGHT * item.width) / item.height)));
  const open = make("button", { type: "button", class: "open", title: item.name, "aria-label": item.name, data: { item: item.id },
    onclick: () => store.open(item.id) }, make("img", { alt: "", loading: "lazy", width, height: HEIGHT }), make("span", { class: "state" }));
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
  const text = stateOf(item);
  state.dataset.text = text;
  open.setAttribute("aria-label", text ? `${item.name} (${text})` : item.name);
  if (isShown && entry.dataset.seen !== "yes") requestAnimationFrame(() => entry.scrollIntoView({ block: "nearest", inline: "nearest" }));
  entry.dataset.seen = isShown ? "yes" : "";
}

/** Replace a picture when the new one has been loaded. @param {HTMLImageElement} image @param {string} source */
export function setSource(image, source) {
  if (image.getAttribute("src") !== source) image.src = source;
}

/** The text on an item's picture. @param {any} item */
export function stateOf(item) {
  if (item.kind === "photo") return item.marks.length ? String(item.marks.length) : "";
  const { job } = item;
  const share = job.total ? `${Math.floor((100 * job.done) / job.total)} %` : "…";
  return { waiting: t("waiting"), running: share, done: "✓", failed: "!", stopped: "◼", none: "▶" }[job.status];
}

strip.addEventListener("keydown", (event) => {
  const { item } = /** @type {HTMLElement} */ (event.target).dataset;
  if (!item || event.key !== "Delete") return;
  const at = store.items.findIndex(({ id }) => id === item);
  store.remove(item);
  const left = /** @type {NodeListOf<HTMLElement>} */ (strip.querySelectorAll(".open"));
  (left[at] || left[at - 1])?.focus();
});
store.addEventListener("items", draw);
