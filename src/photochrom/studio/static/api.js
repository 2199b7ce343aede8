/** Requests to the studio. Each returns the JSON of the response, or throws an Error with the studio's message and the status. */

import { translateMessage, t } from "./words.js";

/** @param {string} path @param {RequestInit} [init] */
async function ask(path, init) {
  let response;
  try {
    response = await fetch(path, init);
  } catch {
    throw new Error(t("The studio does not answer. Is it still running?"));
  }
  const isJson = (response.headers.get("content-type") || "").includes("json");
  const answer = isJson ? await response.json() : null;
  if (response.ok) return answer;
  const message = answer?.error ? translateMessage(answer.error) : `${response.status} ${response.statusText}`;
  throw Object.assign(new Error(message), { status: response.status });
}

/** @param {string} path @param {unknown} facts */
const post = (path, facts) => ask(path, { method: "POST", body: JSON.stringify(facts) });

/** @param {string} path @param {File} file @param {Record<string, string>} [parameters] */
const send = (path, file, parameters = {}) =>
  ask(`${path}?${new URLSearchParams({ name: file.name, ...parameters })}`, { method: "POST", body: file });

export const studio = () => ask("/api/studio");
/** @param {File} file @param {string} folder @param {number} order the tray is sorted by this number */
export const add = (file, folder, order) => send("/api/items", file, { folder, order: String(order) });
/** Outcomes of all photographs that were written as files. */
export const archive = () => ask("/api/archive");
export const colorAll = () => post("/api/archive/start", {});
export const stopAll = () => post("/api/archive/stop", {});
/** Clear the list of files that could not be read. */
export const forget = () => post("/api/archive/forget", {});
export const items = async () => (await ask("/api/items")).items;
/** @param {string} id */
export const item = (id) => ask(`/api/items/${id}`);
/** Delete an item, even while the page is being closed. @param {string} id */
export const remove = (id) => ask(`/api/items/${id}`, { method: "DELETE", keepalive: true });
/** @param {string} id @param {object} change */
export const edit = (id, change) => post(`/api/items/${id}/edit`, change);
/** @param {string} id @param {AbortSignal} signal */
export const guesses = (id, signal) => ask(`/api/items/${id}/guesses`, { signal });
/** @param {string} id @param {number} x @param {number} y */
export const likely = async (id, x, y) => (await ask(`/api/items/${id}/likely?x=${x}&y=${y}`)).colors;
/** @param {string} id */
export const unsure = (id) => ask(`/api/items/${id}/unsure`);
/** @param {string} id @param {File} file */
export const loadHints = (id, file) => send(`/api/items/${id}/hints`, file);
/** @param {string} id @param {File} file */
export const borrow = (id, file) => send(`/api/items/${id}/reference`, file);
/** @param {string} id @param {boolean} recolor */
export const start = (id, recolor) => post(`/api/items/${id}/start`, { recolor });
/** @param {string} id */
export const stop = (id) => post(`/api/items/${id}/stop`, {});

/**
 * Return the URL of an item's current picture.
 * @param {{id: string, revision: number}} item @param {string} name @param {number} [side] maximum of its longest side, in pixels
 */
export const picture = (item, name, side) => `/api/items/${item.id}/${name}.jpg?revision=${item.revision}${side ? `&side=${side}` : ""}`;
