/** Starts the page: what is dropped or pasted, the keys that work everywhere, and the bar at the top. */
import * as api from "./api.js";
import { find, isField, make, save, tell } from "./dom.js";
import "./film.js";
import "./gestures.js";
import { build, KEYS } from "./panel.js";
import { close } from "./popover.js";
import { hold } from "./stage.js";
import { store } from "./store.js";
import { announce } from "./tray.js";
import { preferred, speak, t } from "./words.js";

const AT_ONCE = 2; // uploads

/** Put files on the tray, two at a time. @param {File[]} files */
async function take(files) {
  const known = [...store.studio.photographs, ...store.studio.films];
  const isKnown = (file) => known.some((ending) => file.name.toLowerCase().endsWith(ending));
  const wanted = files.filter((file) => isKnown(file) || files.length === 1);
  if (wanted.length < files.length) tell(t("{count} other files were skipped", { count: files.length - wanted.length }));
  wanted.forEach((file) => announce(file.name, true));
  const queue = [...wanted];
  /** @type {string[]} */
  const failures = [];
  let isFirst = true;
  const work = async () => {
    for (let file = queue.shift(); file; file = queue.shift()) {
      const item = await api.add(file).catch((error) => void failures.push(error.message));
      announce(file.name, false);
      if (!item) continue;
      store.update(item);
      if (isFirst) store.show(item.id);
      isFirst = false;
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  if (failures.length) tell(failures.join("\n"), true);
  if (wanted.length > 1) tell(t("{count} of {all} added", { count: wanted.length - failures.length, all: wanted.length }));
}

/** All files of a drop, also those in folders. @param {DataTransfer} transfer */
async function filesOf(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.some((entry) => entry.isDirectory)) return [...transfer.files];
  return (await Promise.all(entries.map(walk))).flat();
}

/** @param {any} entry @returns {Promise<File[]>} */
async function walk(entry) {
  if (entry.name.startsWith(".")) return [];
  if (entry.isFile) return [await new Promise((resolve, reject) => entry.file(resolve, reject))];
  const reader = entry.createReader();
  const found = [];
  for (;;) { // a browser lists a hundred entries at a time
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) return found;
    for (const child of some) found.push(...(await walk(child)));
  }
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
    if (event.dataTransfer) take(await filesOf(event.dataTransfer));
  });
  addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files || [])];
    if (files.length) take(files.map((file) => (file.name === "image.png" ? new File([file], `${t("pasted")}.png`) : file)));
  });
}

function listenToChoosers() {
  for (const id of ["files", "folder"]) {
    const input = /** @type {HTMLInputElement} */ (find(`#${id}`));
    input.addEventListener("change", () => {
      take([...(input.files || [])]);
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
    if ((event.ctrlKey || event.metaKey) && key === "z") store.edit({ do: event.shiftKey ? "redo" : "undo" });
    else if (event.ctrlKey || event.metaKey || event.altKey) return;
    else if (key === " " && !(event.target instanceof HTMLButtonElement)) hold(true);
    else if (key === "arrowleft" || key === "arrowright") {
      if (event.target instanceof HTMLInputElement) return;
      store.step(key === "arrowleft" ? -1 : 1);
    } else if (key === "escape") close();
    else if (KEYS[key]) store.take(KEYS[key]);
    else return;
    event.preventDefault();
  });
  addEventListener("keyup", (event) => event.key === " " && hold(false));
  addEventListener("blur", () => hold(false));
}

function listenToBar() {
  find("#undo").addEventListener("click", () => store.edit({ do: "undo" }));
  find("#redo").addEventListener("click", () => store.edit({ do: "redo" }));
  find("#download").addEventListener("click", () => save(`/api/items/${store.shown}/download`));
  for (const button of document.querySelectorAll("[data-view]")) {
    button.addEventListener("click", () => store.look(button.dataset.view));
  }
  const language = /** @type {HTMLSelectElement} */ (find("#language"));
  language.addEventListener("change", async () => {
    localStorage.setItem("language", language.value);
    await speak(language.value);
    build();
    store.changed("items");
    store.changed("item");
  });
}

function show() {
  const item = store.item;
  document.body.classList.toggle("empty", !item);
  find("#welcome").hidden = Boolean(item);
  for (const id of ["stage", "panel", "views", "history"]) find(`#${id}`).hidden = !item;
  find("#download").hidden = !item || (item.kind === "film" && !item.result);
  if (!item) return;
  document.title = `${item.name} – Photochrom`;
  /** @type {HTMLButtonElement} */ (find("#undo")).disabled = !item.canUndo;
  /** @type {HTMLButtonElement} */ (find("#redo")).disabled = !item.canRedo;
  find("#canvas").setAttribute("aria-label", t("{name} in colour. Arrow keys move the cross, Enter chooses a colour there.", { name: item.name }));
}

function look() {
  for (const button of document.querySelectorAll("[data-view]")) {
    button.setAttribute("aria-checked", String(button.dataset.view === store.view));
  }
}

async function begin() {
  store.addEventListener("item", show);
  store.addEventListener("view", look);
  store.studio = await store.try(api.studio);
  if (!store.studio) return;
  const names = new Intl.DisplayNames([], { type: "language" });
  const languages = store.studio.languages;
  find("#language").append(...languages.map((tag) => make("option", { value: tag }, new Intl.DisplayNames([tag], { type: "language" }).of(tag) || names.of(tag))));
  const language = preferred(languages);
  /** @type {HTMLSelectElement} */ (find("#language")).value = language;
  await speak(language);
  if (!store.studio.guesses) find('[data-view="unsure"]').hidden = true;
  listenToDrops();
  listenToChoosers();
  listenToKeys();
  listenToBar();
  build();
  store.items = store.studio.items;
  const last = sessionStorage.getItem("shown");
  store.show((store.items.find((item) => item.id === last) || store.items[0] || { id: null }).id);
  document.body.dataset.ready = "yes";
}

begin();
