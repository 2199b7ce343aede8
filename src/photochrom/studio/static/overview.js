/** The overview: all photographs and films by folder, their states, and the download of all as one ZIP file. */
import * as api from "./api.js";
import { find, make, save } from "./dom.js";
import { store } from "./store.js";
import { setSource, stateOf } from "./tray.js";
import { translateMessage, t } from "./words.js";

const section = find("#overview");
const EVERY = 700; // milliseconds between two queries of the job
/** State of the photographs' files, from the studio. @type {any} */
let archive = { job: { status: "none" }, items: {}, refused: [] };
/** @type {number | undefined} */
let timer;
let isWanted = false; // whether this page downloads the ZIP file when it is complete

const busy = () => ["waiting", "running"].includes(archive.job.status);

/** Draw the buttons at the top, in the language of the page. */
export function build() {
  section.replaceChildren(
    make("div", { class: "row" },
      make("h2", {}, t("Overview")),
      make("button", { type: "button", class: "primary", id: "all", onclick: start }),
      make("button", { type: "button", id: "all-stop", onclick: stop }, t("Stop")),
      make("progress", { id: "all-progress", "aria-label": t("Progress") }),
      make("output", { id: "all-text" })),
    make("div", { id: "folders" }));
  draw();
}

function draw() {
  if (section.hidden || !section.firstChild) return;
  const photographs = store.items.filter((item) => item.kind === "photo").length;
  const { status, done, total, message } = archive.job;
  find("#all").textContent = t("Download all {count}", { count: photographs });
  find("#all").hidden = busy() || !photographs;
  find("#all-stop").hidden = !busy();
  const bar = /** @type {HTMLProgressElement} */ (find("#all-progress"));
  bar.hidden = !busy();
  if (total) [bar.max, bar.value] = [total, done];
  find("#all-text").textContent = busy() ? (total ? `${done} / ${total}` : "") : status === "failed" ? translateMessage(message) : "";
  const folders = new Map();
  for (const item of store.items) folders.set(item.folder, [...(folders.get(item.folder) || []), item]);
  const there = new Map([...section.querySelectorAll("[data-key]")].map((tile) => [tile.dataset.key, tile]));
  const { scrollTop } = section;
  const focused = /** @type {HTMLElement | null} */ (section.querySelector(":focus"));
  find("#folders").replaceChildren(...[...folders].map(([name, items]) => make("section", {},
    ...(name || folders.size > 1 ? [make("h3", {}, name || t("Single files"))] : []),
    make("div", { class: "tiles" }, ...items.map((item) => show(there.get(item.id) || tileOf(item), item))))), ...refused());
  section.scrollTop = scrollTop;
  if (focused && document.activeElement !== focused) focused.focus({ preventScroll: true });
}

/** @param {any} item */
function tileOf(item) {
  return make("button", { type: "button", class: "tile", data: { key: item.id }, onclick: () => store.open(item.id) },
    make("span", { class: "frame" }, make("img", { alt: "", loading: "lazy" }), make("span", { class: "state" })),
    make("span", { class: "caption" }, item.name), make("span", { class: "note" }));
}

/** @param {HTMLElement} tile @param {any} item */
function show(tile, item) {
  const file = archive.items[item.id] || {};
  const isCurrent = file.isCurrent && file.revision === item.revision;
  setSource(/** @type {HTMLImageElement} */ (tile.querySelector("img")), api.picture(item, "small"));
  /** @type {HTMLElement} */ (tile.querySelector(".state")).dataset.text = `${stateOf(item)} ${isCurrent ? "✓" : ""}`.trim();
  const note = file.error ? translateMessage(file.error) : (file.warnings || []).map(translateMessage).join("\n");
  /** @type {HTMLElement} */ (tile.querySelector(".note")).textContent = note;
  tile.setAttribute("aria-current", String(item.id === store.shown));
  tile.classList.toggle("failed", Boolean(file.error));
  tile.title = note ? `${item.name}\n${note}` : item.name;
  return tile;
}

/** Files that could not be read. */
function refused() {
  if (!archive.refused.length) return [];
  const rows = archive.refused.map(({ folder, message }) => make("li", {}, (folder ? `${folder}/` : "") + translateMessage(message)));
  return [make("section", { class: "refused" }, make("h3", {}, t("Not read")), make("ul", {}, ...rows),
    make("button", { type: "button", onclick: () => store.try(async () => update(await api.forget())) }, t("Clear this list")))];
}

/** @param {any} facts */
function update(facts) {
  archive = facts;
  draw();
}

/** Colour all photographs whose files are missing or out of date, then download the ZIP file. */
async function start() {
  await store.flush();
  await store.try(async () => {
    update(await api.colorAll());
    isWanted = true;
    watch();
  });
}

function stop() {
  store.try(async () => update(await api.stopAll()));
}

/** Query the job until it is done, then download the ZIP file. */
function watch() {
  clearTimeout(timer);
  timer = setTimeout(async () => {
    const facts = await store.try(api.archive);
    if (facts) update(facts);
    if (busy()) return watch();
    if (isWanted && archive.job.status === "done") save("/api/items/archive", "photochrom.zip");
    isWanted = false;
  }, EVERY);
}

async function showOverview() {
  const isShown = store.view === "overview" && store.items.length > 0;
  section.hidden = !isShown;
  find("main").hidden = isShown;
  if (!isShown) return;
  draw();
  update((await store.try(api.archive)) || archive);
  if (busy()) watch();
}

store.addEventListener("view", showOverview);
store.addEventListener("items", () => {
  if (section.hidden) return;
  if (store.items.length) showOverview();
  else store.setView("color"); // the page is empty again
});
