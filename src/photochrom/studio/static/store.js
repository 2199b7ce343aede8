/**
 * The page's state: the items on the tray, the displayed item, the current tool.
 * Events notify listeners of changes: "items", "item" (another item is displayed, or the displayed one has changed), "marks",
 * "tool", "view".
 */
import * as api from "./api.js";
import { make, SECONDS_TO_ACT, showMessage } from "./dom.js";
import { t } from "./words.js";

const RECENT = 10;

/** Return whether two marks are of the same kind, colour and place. @param {any} one @param {any} other */
export function isSameMark(one, other) {
  const facts = (mark) => JSON.stringify(mark && [mark.kind, mark.color, mark.places]);
  return facts(one) === facts(other);
}

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
  /** Turn of a dial that is the last change, and has not been sent yet. @type {{id: string, change: any} | null} */
  #turn = null;
  /** The last request about each item. @type {Map<string, Promise<void>>} */
  #requests = new Map();
  /** Number of pending changes of marks, by item; while there are any, the page's marks are newer than the studio's. @type {Map<string, number>} */
  #unanswered = new Map();
  /** Marks of each item as the studio has them once all changes are answered, to find out whether another window has changed them. @type {Map<string, any[]>} */
  #agreed = new Map();
  /** Removed items, of which those without `deleted` can still be restored. @type {Map<string, {item: any, timer: number, message: Element, deleted?: Promise<any>}>} */
  #leaving = new Map();

  get item() {
    return this.items.find((item) => item.id === this.shown) || null;
  }

  /** Identifies the displayed picture: a photograph, or a frame of a film. */
  get picture() {
    return `${this.shown} ${this.item?.time}`;
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

  /** Put an item on the tray, unless it is there, because `refresh` has found it first. @param {any} item */
  add(item) {
    if (this.items.some((other) => other.id === item.id)) return;
    this.#agreed.set(item.id, [...item.marks]);
    this.items = [...this.items, item].sort((one, other) => one.order - other.order);
    this.changed("items");
  }

  /** Update an item, which may have been removed meanwhile, from the studio's answer. @param {any} item */
  #update(item) {
    const leaving = this.#leaving.get(item.id);
    const at = this.items.findIndex((other) => other.id === item.id);
    const former = leaving?.item || this.items[at];
    if (!former) return;
    if (this.#unanswered.get(item.id)) item.marks = former.marks;
    else this.#agreed.set(item.id, [...item.marks]);
    if (leaving) leaving.item = item;
    else this.items[at] = item;
    this.changed("items");
    if (item.id === this.shown) this.changed("item");
  }

  /**
   * Send a request about an item after those before it have been answered, and update the item from the answer.
   * If requests were sent at the same time, an outdated answer might arrive last.
   * @param {string} id @param {() => Promise<any>} work
   */
  request(id, work) {
    const last = this.#requests.get(id) || Promise.resolve();
    const next = last.then(() => this.try(async () => {
      try {
        this.#update(await work());
      } catch (error) {
        if (/** @type {any} */ (error).status === 404) this.refresh(); // it was removed in another window
        throw error;
      }
    }));
    this.#requests.set(id, next);
    return next;
  }

  /** Show what other windows have changed: in the displayed item, and which items are on the tray. */
  async refresh() {
    const before = this.items;
    const now = await this.try(api.items);
    if (!now) return;
    const isOn = (items, { id }) => items.some((item) => item.id === id);
    before.filter((item) => !isOn(now, item)).forEach(({ id }) => this.#takeOff(id));
    now.filter((item) => !isOn(this.items, item) && !this.#leaving.has(item.id)).forEach((item) => this.add(item));
    const { item } = this;
    if (item) this.request(item.id, () => api.item(item.id));
    else if (this.items.length) this.show(this.items[0].id);
  }

  /** Take an item off the tray, and return it. @param {string} id */
  #takeOff(id) {
    const at = this.items.findIndex((item) => item.id === id);
    const item = this.items[at];
    this.items = this.items.filter((other) => other !== item);
    if (this.shown === id) this.show((this.items[at] || this.items[at - 1] || { id: null }).id);
    else this.changed("items");
    return item;
  }

  /** Remove an item from the tray. Its files are deleted when it can no longer be restored. @param {string} id */
  remove(id) {
    const item = this.#takeOff(id);
    const timer = setTimeout(() => this.#leave(id), SECONDS_TO_ACT * 1000);
    const undo = make("button", { type: "button", onclick: () => this.#restore(id) }, t("Undo"));
    const message = showMessage(t("{name} is removed", { name: item.name }), false, undo);
    this.#leaving.set(id, { item, timer, message });
  }

  /** @param {string} id */
  #restore(id) {
    const { item, timer } = /** @type {any} */ (this.#leaving.get(id));
    clearTimeout(timer);
    this.#leaving.delete(id);
    this.add(item);
    this.show(id);
  }

  /** @param {string} id */
  #leave(id) {
    const leaving = /** @type {any} */ (this.#leaving.get(id));
    clearTimeout(leaving.timer);
    leaving.message.remove();
    leaving.deleted ||= this.try(() => api.remove(id)); // it stays in the list, since an older answer may contain it
    return leaving.deleted;
  }

  /** Delete the removed items that could still be restored. */
  async flush() {
    await Promise.all([...this.#leaving.keys()].map((id) => this.#leave(id)));
  }

  /**
   * Change the displayed item. Consecutive turns of a dial are sent as one while an answer is pending.
   * @param {any} change
   * @param {() => void} [answered] called before the answer is applied, or when the change has failed
   */
  edit(change, answered = () => {}) {
    const id = this.shown;
    if (!id) return Promise.resolve();
    const last = this.#turn;
    if (last && last.id === id && change.do === "dial" && last.change.dial === change.dial && last.change.shot === change.shot) {
      last.change.value = change.value;
      return /** @type {Promise<void>} */ (this.#requests.get(id));
    }
    this.#turn = change.do === "dial" ? { id, change } : null;
    return this.request(id, async () => {
      if (this.#turn?.change === change) this.#turn = null;
      try {
        return await api.edit(id, change).finally(answered);
      } catch (error) {
        this.#update(await api.item(id)); // the change has failed, so the page may differ from the studio
        throw error;
      }
    });
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
