/** Draws the picture and its original, as large as the window allows, or in tiles when zoomed to 100 % and beyond. */
import { picture as address } from "./api.js";
import * as api from "./api.js";
import { clamp, find } from "./dom.js";
import { store } from "./store.js";
import { t } from "./words.js";

const TILE = 512;
const MOST_SIDE = 1600; // longest side in pixels of a picture shown without tiles
const MOST_TILES = 96;
const MOST_ZOOM = 8;

const box = find("#canvas");
const canvas = /** @type {HTMLCanvasElement} */ (box.querySelector("canvas"));
const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
const divider = find("#divider");
const video = /** @type {HTMLVideoElement} */ (find("#result"));

/** Screen pixels per pixel of the picture, and the position of its upper left corner. */
const view = { scale: 1, x: 0, y: 0, fitted: true };
/** The corner before rounding to whole pixels, so that small movements add up. */
const exact = { x: 0, y: 0 };
/** @type {{id: string, color: HTMLImageElement | null, grey: HTMLImageElement | null, revision: number, drawn: number, side: number} | null} */
let shown = null;
/** @type {Map<string, HTMLImageElement>} */
const tiles = new Map();
/** @type {{map: number[][], places: number[][], key: string} | null} */
let doubts = null;
let split = 0.5; // divider between grey and colour, as a share of the stage's width
let isHeld = false; // whether a key is held down to show the original
let isQueued = false;
let missing = 0; // tiles being loaded
/** Called after each drawing, to move the overlay. @type {(() => void)[]} */
const followers = [];

/** @param {() => void} follow */
export function onDraw(follow) {
  followers.push(follow);
}

/** @type {number[][]} */
const NO_PLACES = [];
/** Return the places where the model is unsure, if they are shown: the same array until they change. */
export const unsurePlaces = () => (store.view === "unsure" && doubts ? doubts.places : NO_PLACES);

/** Convert a place of the picture (0 to 1) to CSS pixels of the stage. @param {number} x @param {number} y */
export function toStage(x, y) {
  const item = store.item;
  return { left: view.x + x * item.width * view.scale, top: view.y + y * item.height * view.scale };
}

/** Convert a position on the page to a place of the picture, 0 to 1 or beyond. @param {number} clientX @param {number} clientY */
export function toPicture(clientX, clientY) {
  const { left, top } = box.getBoundingClientRect();
  const item = store.item;
  return {
    x: (clientX - left - view.x) / (item.width * view.scale),
    y: (clientY - top - view.y) / (item.height * view.scale),
  };
}

/** Convert a share of the picture's short side to screen pixels. @param {number} share */
export function lengthOf(share) {
  return share * Math.min(store.item.width, store.item.height) * view.scale;
}

/** @param {number} x @param {number} y @returns {string | null} the colour shown there */
export function colorAt(x, y) {
  const image = shown?.color;
  if (!image) return null;
  const spot = document.createElement("canvas");
  spot.width = spot.height = 1;
  const pen = /** @type {CanvasRenderingContext2D} */ (spot.getContext("2d", { willReadFrequently: true }));
  const [w, h] = [image.naturalWidth, image.naturalHeight];
  pen.drawImage(image, clamp(x * w - 2, 0, w - 5), clamp(y * h - 2, 0, h - 5), 5, 5, 0, 0, 1, 1);
  const [red, green, blue] = pen.getImageData(0, 0, 1, 1).data;
  return "#" + [red, green, blue].map((value) => value.toString(16).padStart(2, "0")).join("");
}

export function fit() {
  const item = store.item;
  if (!item) return;
  const { clientWidth, clientHeight } = box;
  view.scale = Math.min(clientWidth / item.width, clientHeight / item.height);
  view.x = (clientWidth - item.width * view.scale) / 2;
  view.y = (clientHeight - item.height * view.scale) / 2;
  view.fitted = true;
  [exact.x, exact.y] = [view.x, view.y];
  draw();
}

/** Change the scale, keeping a point of the stage fixed. @param {number} factor @param {number} [x] @param {number} [y] */
export function zoom(factor, x = box.clientWidth / 2, y = box.clientHeight / 2) {
  const item = store.item;
  if (!item) return;
  const least = Math.min(box.clientWidth / item.width, box.clientHeight / item.height);
  const scale = clamp(view.scale * factor, least, Math.max(least, MOST_ZOOM / devicePixelRatio));
  if (scale <= least * 1.001) return fit();
  view.x = x - ((x - view.x) * scale) / view.scale;
  view.y = y - ((y - view.y) * scale) / view.scale;
  view.scale = scale;
  view.fitted = false;
  keepOnStage();
}

/** Zoom to one pixel of the photograph per screen pixel. */
export function zoomFull(x, y) {
  zoom(1 / devicePixelRatio / view.scale, x, y);
}

/** @param {number} dx @param {number} dy */
export function pan(dx, dy) {
  view.x = exact.x + dx;
  view.y = exact.y + dy;
  keepOnStage();
}

/** Keep the picture on the stage. */
function keepOnStage() {
  const item = store.item;
  for (const [axis, side, room] of [["x", item.width, box.clientWidth], ["y", item.height, box.clientHeight]]) {
    const length = side * view.scale;
    const corner = length <= room ? (room - length) / 2 : clamp(view[axis], room - length, 0);
    exact[axis] = corner;
    view[axis] = Math.round(corner * devicePixelRatio) / devicePixelRatio; // between pixels, 100 % would be blurred
  }
  draw();
}

/** Show the original while a key is held. @param {boolean} held */
export function showOriginal(held) {
  if (isHeld === held) return;
  isHeld = held;
  box.classList.toggle("held", held);
  draw();
}

export function draw() {
  if (isQueued) return;
  isQueued = true;
  requestAnimationFrame(() => {
    isQueued = false;
    if (store.item && box.clientWidth) paint();
  });
}

function paint() {
  const ratio = devicePixelRatio;
  const [width, height] = [box.clientWidth, box.clientHeight];
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
  }
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  context.imageSmoothingEnabled = view.scale * ratio < 3;
  const comparing = store.view === "compare" && !isHeld;
  missing = 0;
  if (!isHeld) layer(shown?.color || null, false);
  if (isHeld || comparing) {
    context.save();
    context.beginPath();
    context.rect(0, 0, comparing ? split * width : width, height);
    context.clip();
    layer(shown?.grey || null, true);
    context.restore();
  }
  if (store.view === "unsure" && doubts && !isHeld) hatch(doubts.map, width, height);
  divider.hidden = !comparing;
  divider.style.left = `${box.offsetLeft + split * width}px`;
  find("#level").textContent = `${Math.round(100 * view.scale * ratio)} %`;
  box.setAttribute("aria-busy", String(missing > 0 || shown?.drawn !== shown?.revision));
  for (const follow of followers) follow();
}

/** @param {HTMLImageElement | null} image @param {boolean} grey */
function layer(image, grey) {
  const item = store.item;
  if (!image) return;
  context.drawImage(image, view.x, view.y, item.width * view.scale, item.height * view.scale);
  const isCoarse = view.scale * devicePixelRatio > (1.05 * image.naturalWidth) / item.width;
  if (isCoarse && item.kind === "photo") sharpen(grey);
}

/** Draw the tiles of the full-size photograph that are visible. @param {boolean} grey */
function sharpen(grey) {
  const item = store.item;
  const size = TILE * view.scale;
  const last = (side) => Math.ceil(side / TILE) - 1;
  const range = (offset, room, side) => [
    clamp(Math.floor(-offset / size), 0, last(side)),
    clamp(Math.floor((room - offset) / size), 0, last(side)),
  ];
  const [left, right] = range(view.x, box.clientWidth, item.width);
  const [top, bottom] = range(view.y, box.clientHeight, item.height);
  for (let row = top; row <= bottom; row++) {
    for (let column = left; column <= right; column++) {
      const tile = tileOf(address(item, `tile/${column}/${row}`) + (grey ? "&grey" : ""));
      if (!tile.complete || !tile.naturalWidth) {
        missing += tile.complete ? 0 : 1;
        continue;
      }
      const [x, y] = [view.x + column * size, view.y + row * size];
      context.drawImage(tile, x, y, tile.naturalWidth * view.scale, tile.naturalHeight * view.scale);
    }
  }
}

/** @param {string} url */
function tileOf(url) {
  let tile = tiles.get(url);
  if (!tile) {
    tile = new Image();
    tile.onload = draw;
    tile.src = url;
    tiles.set(url, tile);
    if (tiles.size > MOST_TILES) tiles.delete(tiles.keys().next().value);
  }
  return tile;
}

/** Hatch the areas where the model is unsure, since photographs do not contain such a pattern. */
function hatch(map, width, height) {
  const [rows, columns] = [map.length, map[0].length];
  const mask = new OffscreenCanvas(columns, rows);
  const pen = mask.getContext("2d");
  const pixels = pen.createImageData(columns, rows);
  map.flat().forEach((doubt, i) => (pixels.data[4 * i + 3] = 255 * doubt));
  pen.putImageData(pixels, 0, 0);
  const sheet = new OffscreenCanvas(width, height);
  const ink = sheet.getContext("2d");
  for (const [color, offset] of [["#000", 0], ["#fff", 2]]) {
    ink.strokeStyle = color;
    ink.lineWidth = 1.5;
    ink.beginPath();
    for (let x = -height + offset; x < width; x += 9) ink.moveTo(x, height), ink.lineTo(x + height, 0);
    ink.stroke();
  }
  ink.globalCompositeOperation = "destination-in";
  const item = store.item;
  ink.drawImage(mask, view.x, view.y, item.width * view.scale, item.height * view.scale);
  context.drawImage(sheet, 0, 0);
}

/** Return the length in pixels of the longest side of the JPEG to request: enough for the stage, up to MOST_SIDE. @param {any} item */
function sideOf(item) {
  if (item.kind === "film" || !box.clientWidth) return MOST_SIDE;
  const fitted = Math.min(box.clientWidth / item.width, box.clientHeight / item.height) * Math.max(item.width, item.height);
  return Math.min(MOST_SIDE, 200 * Math.ceil((fitted * devicePixelRatio) / 200));
}

/** Load the item's current pictures; the old ones are shown until then. */
function load() {
  const item = store.item;
  if (!item) return;
  const isOther = shown?.id !== item.id;
  if (isOther) {
    shown = { id: item.id, color: null, grey: null, revision: -1, drawn: -1, side: 0 };
    find("#stage").hidden = false; // a hidden element has no size
    tiles.clear();
    doubts = null;
  }
  if (shown.revision === item.revision) return;
  const now = shown;
  now.revision = item.revision;
  const side = Math.max(now.side, sideOf(item)); // never shrinks, so that the picture does not become less sharp
  now.grey = item.kind === "film" || side !== now.side ? image(address(item, "original", side)) : now.grey;
  now.side = side;
  const color = image(address(item, "picture", side));
  color.onload = () => {
    if (shown !== now || now.revision !== item.revision) return;
    now.color = color;
    now.drawn = item.revision;
    box.dataset.revision = `${item.id} ${item.revision}`; // for tests that wait until it is shown
    draw();
  };
  if (isOther || view.fitted) fit();
  doubt();
}

/** @param {string} url */
function image(url) {
  const found = new Image();
  found.onload = draw;
  found.src = url;
  return found;
}

/** Request the unsure places, if that view is chosen. */
async function doubt() {
  const legend = find("#legend");
  legend.hidden = store.view !== "unsure";
  const item = store.item;
  play();
  if (store.view !== "unsure" || !item) return draw();
  const keyOf = ({ id, revision }) => `${id} ${revision}`;
  const key = keyOf(item);
  if (doubts?.key !== key) {
    const found = await store.try(() => api.unsure(item.id));
    if (!store.item || keyOf(store.item) !== key) return; // the places of another picture have been requested meanwhile
    if (found) doubts = { ...found, key };
  }
  legend.textContent = doubts?.places.length
    ? t("Hatched: the model is unsure. A colour at 1 helps most, then at 2, and so on.")
    : t("The model is sure enough of this picture. No place needs a colour.");
  draw();
}

/** Show the coloured film in the player, if that view is chosen. */
function play() {
  const isPlayed = store.view === "play" && Boolean(store.item?.result);
  video.hidden = !isPlayed;
  find("#zoom").hidden = isPlayed;
  const source = isPlayed ? `/api/items/${store.item.id}/download?play=${store.item.job.number}` : "";
  if (!isPlayed) video.pause();
  if (!source || video.getAttribute("src") === source) return;
  video.src = source;
  const { time } = store.item;
  video.onloadedmetadata = () => (video.currentTime = time); // starts at the current frame
}

/** @param {number} share */
function divide(share) {
  split = clamp(share, 0, 1);
  divider.setAttribute("aria-valuenow", String(Math.round(100 * split)));
  draw();
}

divider.addEventListener("pointerdown", (event) => {
  divider.setPointerCapture(event.pointerId);
  event.preventDefault();
  divider.focus();
});
divider.addEventListener("pointermove", (event) => {
  if (!divider.hasPointerCapture(event.pointerId)) return;
  const { left, width } = box.getBoundingClientRect();
  divide((event.clientX - left) / width);
});
divider.addEventListener("keydown", (event) => {
  const step = { ArrowLeft: -0.02, ArrowRight: 0.02 }[event.key];
  if (step) divide(split + step), event.preventDefault(), event.stopPropagation();
});
for (const button of document.querySelectorAll("#zoom button")) {
  const act = { out: () => zoom(1 / 1.5), in: () => zoom(1.5), fit, full: () => zoomFull() };
  button.addEventListener("click", () => act[button.dataset.zoom]());
}
new ResizeObserver(() => box.clientWidth && (view.fitted ? fit() : keepOnStage())).observe(box); // 0: the overview is shown
store.addEventListener("item", load);
store.addEventListener("view", doubt);
divide(0.5);
