/**
 * The page's state: the items on the tray, the displayed item, the current tool.
 * Events notify listeners of changes: "items", "item" (another item is displayed, or the displayed one has changed), "marks",
 * "tool", "view".
 */
import * as api from "./api.js";
import { make, SECONDS_TO_ACT, showMessage } from "./dom.js";
import { t } from "./words.js";

const RECENT = 10;

class Store extends EventTarget {
  /** @type {any} what the studio told at the start: its model, file formats and languages */
  studio = null;
  /** @type {any[]} */
  items = [];
  /** @type {string | null} */
  shown = null;
  tool = "point";
  view = "color";
  color = "#8a6a4a";
  brush = 0.03;
  /** Whether marks, and the hints of a chosen guess or of another photograph, are shown on the picture. */
  marked = true;
  /** In a film, whether dials apply to the displayed shot only. */
  single = false;
  /** @type {string[]} */
  recent = JSON.parse(localStorage.getItem("recent") || "[]");
  /** @type {Map<string, object>} dials turned while an answer is pending; only the latest value counts */
  #waiting = new Map();
  /** @type {Promise<void>} */
  #last = Promise.resolve();
  /** Number of pending changes of marks, by item; while there are any, the page's marks are newer than the studio's. @type {Map<string, number>} */
  #unanswered = new Map();
  /** Marks of each item as the studio has them once all changes are answered, to find out whether another window has changed them. @type {Map<string, any[]>} */
  #agreed = new Map();

  /** Removed items that can still be restored, and their timers. @type {Map<string, number>} */
  #leaving = new Map();

  get item() {
    return this.items.find((item) => item.id === this.shown) || null;
  }

  /** @param {string} name */
  changed(name) {
    this.dispatchEvent(new Event(name));
  }

  /** @param {string | null} id */
  show(id) {
    this.shown = id;
    if (id) sessionStorage.setItem("shown", id);
    this.changed("items");
    this.changed("item");
  }

  /** Show the next or previous item. @param {number} step */
  step(step) {
    const at = this.items.findIndex((item) => item.id === this.shown);
    const next = this.items[at + step];
    if (next) this.show(next.id);
  }

  /** Show an item, and leave the overview or the player. @param {string} id */
  open(id) {
    if (this.view === "overview" || this.view === "play") this.setView("color");
    this.show(id);
  }

  /** Show all items of the tray. @param {any[]} items */
  fill(items) {
    this.items = items;
    for (const item of items) this.#agreed.set(item.id, [...item.marks]);
  }

  /** Update an item from the studio's answer. @param {any} item */
  update(item) {
    const at = this.items.findIndex((other) => other.id === item.id);
    if (at >= 0 && this.#unanswered.get(item.id)) item.marks = this.items[at].marks;
    else this.#agreed.set(item.id, [...item.marks]);
    if (at >= 0) this.items[at] = item;
    else this.items = [...this.items, item].sort((one, other) => one.order - other.order);
    this.changed("items");
    if (item.id === this.shown) this.changed("item");
  }

  /** Show what other windows have changed in the displayed item. */
  refresh() {
    const { item } = this;
    if (!item) return;
    this.#last = this.#last.then(() =>
      this.try(async () => {
        const now = await api.item(item.id);
        if (now.revision !== this.item?.revision && now.id === this.shown) this.update(now);
      }),
    );
  }

  /** Remove an item from the tray. Its files are deleted when it can no longer be restored. @param {string} id */
  remove(id) {
    const at = this.items.findIndex((item) => item.id === id);
    const [item] = this.items.splice(at, 1);
    if (this.shown === id) this.show((this.items[at] || this.items[at - 1] || { id: null }).id);
    else this.changed("items");
    this.#leaving.set(id, setTimeout(() => this.#leave(id), SECONDS_TO_ACT * 1000));
    const back = () => {
      clearTimeout(this.#leaving.get(id));
      this.#leaving.delete(id);
      this.items.splice(at, 0, item);
      this.show(id);
    };
    showMessage(t("{name} is removed", { name: item.name }), false, make("button", { type: "button", onclick: back }, t("Undo")));
  }

  /** @param {string} id */
  async #leave(id) {
    clearTimeout(this.#leaving.get(id));
    if (this.#leaving.delete(id)) await this.try(() => api.remove(id));
  }

  /** Delete the removed items that could still be restored. */
  async flush() {
    await Promise.all([...this.#leaving.keys()].map((id) => this.#leave(id)));
  }

  /**
   * Change the displayed item. Changes are sent one after the other.
   * @param {any} change
   * @param {() => void} [answered] called before the answer is applied, or when the change has failed
   */
  edit(change, answered = () => {}) {
    const id = this.shown;
    if (!id) return Promise.resolve();
    if (change.do === "dial") {
      const isWaiting = this.#waiting.has(change.dial);
      this.#waiting.set(change.dial, change);
      if (isWaiting) return this.#last;
    }
    this.#last = this.#last.then(() =>
      this.try(async () => {
        let latest = change;
        if (change.do === "dial") {
          latest = this.#waiting.get(change.dial);
          this.#waiting.delete(change.dial);
        }
        try {
          const item = await api.edit(id, latest).finally(answered);
          this.update(item);
        } catch (error) {
          this.update(await api.item(id)); // the change has failed, so the page may differ from the studio
          throw error;
        }
      }),
    );
    return this.#last;
  }

  /** Replace the marks of the displayed item; in a film, those of the frame on the page. @param {any[]} marks */
  async mark(marks) {
    const item = this.item;
    if (!item) return;
    const { id } = item;
    const before = this.#agreed.get(id) || [];
    this.#agreed.set(id, [...marks]);
    item.marks = marks;
    this.marked = true; // a newly given colour must be visible
    this.changed("tool");
    this.#unanswered.set(id, (this.#unanswered.get(id) || 0) + 1);
    this.changed("marks");
    await this.edit({ do: "marks", marks, before, time: item.time }, () => this.#unanswered.set(id, (this.#unanswered.get(id) || 1) - 1));
  }

  /** @param {string} color */
  use(color) {
    this.color = color;
    this.recent = [color, ...this.recent.filter((other) => other !== color)].slice(0, RECENT);
    localStorage.setItem("recent", JSON.stringify(this.recent));
    this.changed("tool");
  }

  /** @param {string} tool */
  setTool(tool) {
    this.tool = tool;
    this.changed("tool");
  }

  /** Show the marks, or hide them. @param {boolean} marked */
  reveal(marked) {
    this.marked = marked;
    this.changed("marks");
    this.changed("tool");
  }

  /** @param {string} view */
  setView(view) {
    this.view = view;
    this.changed("view");
  }

  /** Run an action that may fail, and show its error. @template T @param {() => Promise<T>} work */
  async try(work) {
    try {
      return await work();
    } catch (error) {
      showMessage(error instanceof Error ? error.message : String(error), true);
      return undefined;
    }
  }
}

export const store = new Store();
