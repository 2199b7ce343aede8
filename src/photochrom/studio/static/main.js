/** Starts the page, and handles dropped and pasted files, global keys, and the bar at the top. */
import * as api from "./api.js";
import { find, isField, make, save, showMessage } from "./dom.js";
import "./film.js";
import "./gestures.js";
import { build, KEYS } from "./panel.js";
import { close } from "./popover.js";
import { showOriginal } from "./stage.js";
import { store } from "./store.js";
import { build as buildOverview } from "./overview.js";
import { announce, build as buildTray } from "./tray.js";
import { preferred, loadLanguage, t } from "./words.js";

const AT_ONCE = 2; // number of parallel uploads

/** Upload files, two at a time, and put them on the tray in their order. @param {{file: File, folder: string}[]} files */
async function addFiles(files) {
  const known = [...store.studio.photographs, ...store.studio.films];
  const isKnown = ({ file }) => known.some((ending) => file.name.toLowerCase().endsWith(ending));
  const wanted = files.filter((each) => isKnown(each) || files.length === 1);
  if (wanted.length < files.length) showMessage(t("Neither photographs nor films, so left out: {count}", { count: files.length - wanted.length }));
  announce(wanted, true);
  const now = Date.now();
  const queue = wanted.map((each, i) => ({ each, order: now + i })); // two uploads may end in any order
  /** @type {string[]} */
  const failures = [];
  const [show, stop] = showingFirst(now, now + wanted.length);
  const work = async () => {
    for (let next = queue.shift(); next; next = queue.shift()) {
      const { each, order } = next;
      const item = await api.add(each.file, each.folder, order).catch((error) => void failures.push(error.message));
      announce([each], false);
      if (!item) continue;
      store.add(item);
      show(item);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  stop();
  if (failures.length) showMessage([...new Set(failures)].join("\n"), true);
  if (wanted.length > 1) showMessage(t("{count} of {all} added", { count: wanted.length - failures.length, all: wanted.length }));
}

/**
 * Return a function that shows an added item, and one that ends this. The first item of the tray replaces those after it,
 * whose uploads have ended earlier, unless the user has clicked or pressed a key meanwhile.
 * @param {number} from the lowest `order` of the items @param {number} to above their `order`
 * @returns {[(item: any) => void, () => void]}
 */
function showingFirst(from, to) {
  const before = store.shown;
  const over = new AbortController();
  let isFree = true;
  for (const kind of ["pointerdown", "keydown"]) addEventListener(kind, () => (isFree = false), { capture: true, signal: over.signal });
  const show = (item) => {
    const isLater = store.item && store.item.order > item.order && store.item.order >= from && store.item.order < to;
    if (isFree && (isLater || store.shown === before)) store.show(item.id);
  };
  return [show, () => over.abort()];
}

/** Return all dropped files, including those in folders. @param {DataTransfer} transfer */
async function filesOf(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.some((entry) => entry.isDirectory)) return single([...transfer.files]);
  return sorted((await Promise.all(entries.map((entry) => walk(entry, "")))).flat());
}

/** @param {Iterable<File>} files */
const single = (files) => [...files].map((file) => ({ file, folder: "" }));

/** @param {any} entry @param {string} folder @returns {Promise<{file: File, folder: string}[]>} */
async function walk(entry, folder) {
  if (entry.name.startsWith(".")) return [];
  const fail = () => void showMessage(t("{name} cannot be read", { name: entry.fullPath.slice(1) }), true);
  if (entry.isFile) {
    const file = await new Promise((resolve) => entry.file(resolve, () => resolve(fail())));
    return file ? [{ file, folder }] : [];
  }
  const reader = entry.createReader();
  const inner = folder ? `${folder}/${entry.name}` : entry.name;
  const found = [];
  for (;;) { // browsers return at most a hundred entries per call
    const some = await new Promise((resolve) => reader.readEntries(resolve, () => resolve(fail())));
    if (!some?.length) return found;
    for (const child of some) found.push(...(await walk(child, inner)));
  }
}

/** Return the files of a chosen folder, each with its path in it. @param {Iterable<File>} files */
const ofFolder = (files) => sorted([...files].map((file) => ({ file, folder: file.webkitRelativePath.split("/").slice(0, -1).join("/") })));

/** Sort files by folder and name, with 9 before 10; browsers list folders in any order. @param {{file: File, folder: string}[]} files */
function sorted(files) {
  const { compare } = new Intl.Collator(undefined, { numeric: true });
  return files.sort((one, other) => compare(one.folder, other.folder) || compare(one.file.name, other.file.name));
}

function listenToDrops() {
  const curtain = find("#dropping");
  let depth = 0;
  const isFiles = (event) => [...(event.dataTransfer?.types || [])].includes("Files");
  addEventListener("dragenter", (event) => {
    if (isFiles(event)) curtain.hidden = ++depth < 1;
    event.preventDefault();
  });
  addEventListener("dragleave", () => (curtain.hidden = (depth = Math.max(0, depth - 1)) < 1));
  addEventListener("dragover", (event) => event.preventDefault());
  addEventListener("drop", async (event) => {
    event.preventDefault(); // the browser would leave the page and open the file
    curtain.hidden = true;
    depth = 0;
    if (event.dataTransfer) addFiles(await filesOf(event.dataTransfer));
  });
  addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files || [])];
    if (files.length) addFiles(single(files.map((file) => (file.name === "image.png" ? new File([file], `${t("pasted")}.png`) : file))));
  });
}

function listenToChoosers() {
  for (const id of ["files", "folder"]) {
    const input = /** @type {HTMLInputElement} */ (find(`#${id}`));
    input.addEventListener("change", () => {
      addFiles(ofFolder(input.files || []));
      input.value = "";
    });
  }
  find(".choose").addEventListener("click", () => find("#files").click());
  find(".choose-folder").addEventListener("click", () => find("#folder").click());
}

function listenToKeys() {
  addEventListener("keydown", (event) => {
    if (isField(event.target) || !store.item) return;
    const key = event.key.toLowerCase();
    if ((event.ctrlKey || event.metaKey) && key === "z" && store.view !== "overview") store.edit({ do: event.shiftKey ? "redo" : "undo" });
    else if (event.ctrlKey || event.metaKey || event.altKey) return;
    else if (key === " " && !(event.target instanceof HTMLButtonElement)) showOriginal(true);
    else if (key === "m") store.reveal(!store.marked);
    else if (key === "enter" && store.view === "overview" && event.target === document.body) store.open(store.item.id);
    else if (key === "g") store.setView(store.view === "overview" ? "color" : "overview");
    else if (key === "arrowleft" || key === "arrowright") {
      if (event.target instanceof HTMLInputElement) return;
      store.step(key === "arrowleft" ? -1 : 1);
    } else if (key === "escape") store.view === "overview" ? store.setView("color") : close();
    else if (KEYS[key]) store.setTool(KEYS[key]);
    else return;
    event.preventDefault();
  });
  addEventListener("keyup", (event) => event.key === " " && showOriginal(false));
  addEventListener("blur", () => showOriginal(false));
}

function listenToBar() {
  find("#undo").addEventListener("click", () => store.edit({ do: "undo" }));
  find("#redo").addEventListener("click", () => store.edit({ do: "redo" }));
  find("#download").addEventListener("click", () => save(`/api/items/${store.shown}/download`));
  for (const button of document.querySelectorAll("[data-view]")) {
    button.addEventListener("click", () => store.setView(button.dataset.view));
  }
  const language = /** @type {HTMLSelectElement} */ (find("#language"));
  language.addEventListener("change", async () => {
    localStorage.setItem("language", language.value);
    await loadLanguage(language.value);
    rebuild();
    store.changed("items");
    store.changed("item");
    store.changed("view");
  });
}

/** Redraw all texts after a change of language. */
function rebuild() {
  build();
  buildTray();
  buildOverview();
}

function show() {
  const item = store.item;
  document.body.classList.toggle("empty", !item);
  find("#welcome").hidden = Boolean(item);
  for (const id of ["name", "stage", "panel", "views", "history"]) find(`#${id}`).hidden = !item;
  find("#download").hidden = !item || (item.kind === "film" && !item.result);
  find('[data-view="play"]').hidden = !item?.result;
  if (store.view === "play" && !item?.result) store.setView("color");
  document.title = item ? `${item.name} – Photochrom` : "Photochrom";
  if (!item) return;
  find("#name").textContent = find("#name").title = item.name;
  /** @type {HTMLButtonElement} */ (find("#undo")).disabled = !item.canUndo;
  /** @type {HTMLButtonElement} */ (find("#redo")).disabled = !item.canRedo;
  find("#canvas").setAttribute("aria-label", t("{name} in colour. Arrow keys move the cross, Enter chooses a colour there.", { name: item.name }));
}

function markView() {
  const isOverview = store.view === "overview";
  for (const id of ["name", "history", "download"]) find(`#${id}`).classList.toggle("gone", isOverview);
  for (const button of document.querySelectorAll("[data-view]")) {
    button.setAttribute("aria-pressed", String(button.dataset.view === store.view));
  }
}

async function begin() {
  store.addEventListener("item", show);
  store.addEventListener("view", markView);
  store.studio = await store.try(api.studio);
  if (!store.studio) return;
  const names = new Intl.DisplayNames([], { type: "language" });
  const languages = store.studio.languages;
  find("#language").append(...languages.map((tag) => make("option", { value: tag }, new Intl.DisplayNames([tag], { type: "language" }).of(tag) || names.of(tag))));
  const language = preferred(languages);
  /** @type {HTMLSelectElement} */ (find("#language")).value = language;
  await loadLanguage(language);
  if (!store.studio.guesses) find('[data-view="unsure"]').hidden = true;
  listenToDrops();
  listenToChoosers();
  listenToKeys();
  listenToBar();
  rebuild();
  store.fill(store.studio.items);
  addEventListener("focus", () => store.refresh());
  addEventListener("pagehide", () => store.flush());
  const last = sessionStorage.getItem("shown");
  store.show((store.items.find((item) => item.id === last) || store.items[0] || { id: null }).id);
  document.body.dataset.ready = "yes";
}

begin();
