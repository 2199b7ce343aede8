/** Pointer and keyboard gestures on the picture, for each tool. */
import { clamp, find } from "./dom.js";
import { getCross, setCross, setPath } from "./overlay.js";
import { openAt } from "./popover.js";
import { colorAt, fit, pan, toPicture, zoom, zoomFull } from "./stage.js";
import { store } from "./store.js";

const box = find("#canvas");
const SLIP = 5; // maximum movement of the pointer during a click, in screen pixels
/** @type {Map<number, {x: number, y: number}>} pressed pointers */
const pointers = new Map();

const inside = ({ x, y }) => x >= 0 && x <= 1 && y >= 0 && y <= 1;
const clamped = ({ x, y }) => [clamp(x, 0, 1), clamp(y, 0, 1)];

box.addEventListener("pointerdown", (event) => {
  if (!store.item || event.target !== box.firstElementChild) return;
  box.setPointerCapture(event.pointerId);
  pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
  box.focus({ preventScroll: true });
  if (pointers.size === 2) pinch();
  else if (event.button === 1 || store.tool === "hand") drag(event);
  else if (event.button === 0) ({ stroke: draw, area: draw }[store.tool] || click)(event);
});

/** @param {(event: PointerEvent) => void} move @param {(event: PointerEvent) => void} end */
function follow(move, end) {
  const stop = (event) => {
    pointers.delete(event.pointerId);
    if (pointers.size) return;
    box.onpointermove = box.onpointerup = box.onpointercancel = null;
    end(event);
  };
  box.onpointermove = (event) => {
    pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    move(event);
  };
  box.onpointerup = box.onpointercancel = stop;
}

/** Handle a click, which gives or picks a colour, or a drag, which moves the picture. @param {PointerEvent} event */
function click(event) {
  let isDrag = false;
  let last = { x: event.clientX, y: event.clientY };
  follow((move) => {
    if (pointers.size > 1) return;
    isDrag ||= Math.hypot(move.clientX - event.clientX, move.clientY - event.clientY) > SLIP;
    if (isDrag) pan(move.clientX - last.x, move.clientY - last.y);
    last = { x: move.clientX, y: move.clientY };
  }, (up) => {
    const at = toPicture(up.clientX, up.clientY);
    if (isDrag || up.type === "pointercancel" || !inside(at)) return;
    if (store.tool === "pick") pick(at);
    else {
      setCross(at);
      openAt(at.x, at.y);
    }
  });
}

/** @param {{x: number, y: number}} at */
function pick(at) {
  const color = colorAt(at.x, at.y);
  if (color) store.use(color);
  store.setTool("point");
}

/** @param {PointerEvent} event */
function drag(event) {
  let last = { x: event.clientX, y: event.clientY };
  follow((move) => {
    pan(move.clientX - last.x, move.clientY - last.y);
    last = { x: move.clientX, y: move.clientY };
  }, () => {});
}

/** Draw a stroke, or a lasso around an area. @param {PointerEvent} event */
function draw(event) {
  const { tool: kind, picture } = store;
  const places = [clamped(toPicture(event.clientX, event.clientY))];
  follow((move) => {
    if (pointers.size > 1) return setPath(null);
    places.push(clamped(toPicture(move.clientX, move.clientY)));
    setPath(places, kind === "area");
  }, (up) => {
    setPath(null);
    if (up.type === "pointercancel" || store.picture !== picture) return;
    const isArea = kind === "area" && places.length > 2;
    const mark = { kind: isArea ? "area" : "stroke", places: thinned(places), color: store.color, radius: store.brush };
    store.use(store.color);
    store.mark([...store.item.marks, { ...mark, suggested: false }]);
  });
}

/** Reduce a path to at most 200 places. @param {number[][]} places */
function thinned(places) {
  const stride = Math.ceil(places.length / 200);
  return places.filter((_, i) => i % stride === 0 || i === places.length - 1);
}

function pinch() {
  const spread = () => {
    const [one, two] = [...pointers.values()];
    return { length: Math.hypot(one.x - two.x, one.y - two.y), x: (one.x + two.x) / 2, y: (one.y + two.y) / 2 };
  };
  setPath(null);
  let last = spread();
  follow(() => {
    if (pointers.size < 2) return;
    const now = spread();
    const { left, top } = box.getBoundingClientRect();
    pan(now.x - last.x, now.y - last.y);
    zoom(now.length / last.length, now.x - left, now.y - top);
    last = now;
  }, () => {});
}

box.addEventListener("wheel", (event) => {
  event.preventDefault();
  const { left, top } = box.getBoundingClientRect();
  zoom(Math.exp(-event.deltaY / (event.ctrlKey ? 100 : 400)), event.clientX - left, event.clientY - top);
}, { passive: false });

box.addEventListener("dblclick", (event) => {
  if (store.tool !== "hand") return;
  const { left, top } = box.getBoundingClientRect();
  zoomFull(event.clientX - left, event.clientY - top);
});

box.addEventListener("keydown", (event) => {
  if (!store.item || event.target !== box || event.ctrlKey || event.metaKey || event.altKey) return;
  const step = event.shiftKey ? 0.05 : 0.01;
  const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
  const act = { "+": () => zoom(1.5), "-": () => zoom(1 / 1.5), 0: fit, 1: () => zoomFull(), Enter: put }[event.key];
  if (way) move(way[0] * step, way[1] * step);
  else if (act) act();
  else return;
  event.preventDefault();
  event.stopPropagation();
});

/** @param {number} dx @param {number} dy */
function move(dx, dy) {
  const { x, y } = getCross() || { x: 0.5, y: 0.5 };
  setCross({ x: x + dx, y: y + dy });
}

function put() {
  const at = getCross() || { x: 0.5, y: 0.5 };
  setCross(at);
  if (store.tool === "pick") pick(at);
  else openAt(at.x, at.y);
}
