/** The overlay of the picture: draggable marks, the cross, and the numbers of unsure places. */
import { clamp, find, make } from "./dom.js";
import { openAt, openFor } from "./popover.js";
import { lengthOf, onDraw, toPicture, toStage, unsurePlaces } from "./stage.js";
import { isSameMark, store } from "./store.js";
import { n, t } from "./words.js";

const overlay = find("#overlay");
const SVG = "http://www.w3.org/2000/svg";
/** Place of the cross, which arrow keys move. @type {{x: number, y: number} | null} */
let cross = null;
/** Path of the stroke or lasso in progress. @type {{places: number[][], closed: boolean} | null} */
let path = null;
/** Number of the mark that is hovered or focused; -1 for none. */
let looked = -1;
/** The mark that is being dragged, with its number. @type {{number: number, mark: any} | null} */
let dragged = null;
/** The unsure places that have buttons. @type {number[][]} */
let numbered = [];

/** @param {{x: number, y: number} | null} place */
export function setCross(place) {
  cross = place && { x: clamp(place.x, 0, 1), y: clamp(place.y, 0, 1) };
  follow();
}

export function getCross() {
  return cross;
}

/** @param {number[][] | null} places @param {boolean} closed */
export function setPath(places, closed = false) {
  path = places && { places, closed };
  follow();
}

/** Return the place at which the button of a mark is shown. @param {any} mark */
export function centreOf(mark) {
  const count = mark.places.length;
  if (mark.kind !== "area") return mark.places[Math.floor(count / 2)];
  return [0, 1].map((axis) => mark.places.reduce((sum, place) => sum + place[axis], 0) / count);
}

function rebuild() {
  if (dragged) return; // removing its button would end the drag
  const item = store.item;
  const focused = [...overlay.querySelectorAll("button")].indexOf(/** @type {any} */ (document.activeElement));
  overlay.replaceChildren();
  if (!item) return;
  overlay.append(document.createElementNS(SVG, "svg"));
  item.marks.forEach((mark, number) => {
    const name = { point: n("Colour"), stroke: n("Stroke"), area: n("Area") }[mark.kind];
    const [x, y] = centreOf(mark);
    const label = t("{kind} {color}, {x} % across, {y} % down", {
      kind: t(name), color: mark.color, x: Math.round(100 * x), y: Math.round(100 * y),
    });
    const button = make("button", { type: "button", class: `mark ${mark.kind}`, "aria-label": label, title: label });
    button.style.background = mark.color;
    button.addEventListener("pointerdown", (event) => drag(event, button, number));
    button.addEventListener("keydown", (event) => keys(event, number));
    for (const [name, at] of [["pointerenter", number], ["pointerleave", -1], ["focus", number], ["blur", -1]]) {
      button.addEventListener(name, () => setLooked(at));
    }
    overlay.append(button);
  });
  numbered = unsurePlaces();
  numbered.forEach(([x, y], number) => {
    const label = t("Unsure place {number}", { number: number + 1 });
    overlay.append(make("button", {
      type: "button", class: "unsure", "aria-label": label, data: { x, y }, onclick: () => openAt(x, y),
    }, String(number + 1)));
  });
  overlay.append(make("span", { class: "cross", "aria-hidden": "true" }));
  if (focused >= 0) (overlay.querySelectorAll("button")[focused] || find("#canvas")).focus({ preventScroll: true });
  follow();
}

/** Move all elements of the overlay to their places on the picture. */
function follow() {
  const item = store.item;
  if (!item || !overlay.firstChild) return;
  const put = (element, x, y) => {
    const { left, top } = toStage(x, y);
    element.style.transform = `translate(${left}px, ${top}px)`;
  };
  overlay.querySelectorAll(".mark").forEach((element, number) => {
    const mark = dragged?.number === number ? dragged.mark : item.marks[number];
    if (mark) put(element, ...centreOf(mark));
  });
  if (numbered !== unsurePlaces()) return rebuild();
  overlay.querySelectorAll(".unsure").forEach((element) => put(element, Number(element.dataset.x), Number(element.dataset.y)));
  const sign = /** @type {HTMLElement} */ (overlay.querySelector(".cross"));
  sign.hidden = !cross;
  if (cross) put(sign, cross.x, cross.y);
  outline(item);
}

/** Show the width of a stroke while its button is hovered or focused. @param {number} number */
function setLooked(number) {
  looked = number;
  if (store.item) outline(store.item);
}

/** Outline strokes and areas. @param {any} item */
function outline(item) {
  const svg = /** @type {SVGElement} */ (overlay.querySelector("svg"));
  overlay.classList.toggle("bare", !store.marked);
  const marks = item.marks.map((mark, number) => (dragged?.number === number ? dragged.mark : mark));
  const shapes = store.marked ? marks.filter((mark) => mark.kind !== "point") : [];
  const dots = (store.marked && item.others ? item.others : []).map(dot);
  const own = path && { kind: path.closed ? "area" : "stroke", places: path.places, radius: store.brush, color: store.color };
  if (own) shapes.push(own);
  svg.replaceChildren(...dots, ...shapes.flatMap((mark) => {
    const points = mark.places.map(([x, y]) => Object.values(toStage(x, y)).join(",")).join(" ");
    return ["casing", "line"].map((part) => {
      const line = document.createElementNS(SVG, mark.kind === "area" ? "polygon" : "polyline");
      line.setAttribute("points", points);
      line.setAttribute("class", `${part} ${mark.kind}`);
      if (mark.kind === "stroke" && part === "casing" && (mark === own || mark === marks[looked])) {
        line.classList.add("band"); // filling the whole width would dim the stroke's colours
        line.style.strokeWidth = `${Math.max(4, 2 * lengthOf(mark.radius))}px`;
      }
      if (part === "line") line.style.stroke = mark.color;
      return line;
    });
  }));
}

/** Return a dot for a hint that comes from the model or from another photograph. @param {[number, number, string]} hint */
function dot([x, y, color]) {
  const circle = document.createElementNS(SVG, "circle");
  const { left, top } = toStage(x, y);
  for (const [name, value] of [["cx", left], ["cy", top], ["r", 4]]) circle.setAttribute(String(name), String(value));
  circle.style.fill = color;
  return circle;
}

/** Drag a mark, or open it if it is not moved. @param {PointerEvent} event @param {HTMLElement} button @param {number} number */
function drag(event, button, number) {
  event.stopPropagation();
  if (event.button) return;
  button.setPointerCapture(event.pointerId);
  const from = toPicture(event.clientX, event.clientY);
  const { picture } = store;
  const before = store.item.marks[number];
  dragged = { number, mark: before };
  button.onpointermove = (move) => {
    const to = toPicture(move.clientX, move.clientY);
    if (Math.hypot(move.clientX - event.clientX, move.clientY - event.clientY) < 4 && dragged?.mark === before) return;
    dragged = { number, mark: shifted(before, to.x - from.x, to.y - from.y) };
    follow();
  };
  button.onpointerup = button.onpointercancel = (end) => {
    button.onpointermove = button.onpointerup = button.onpointercancel = null;
    const mark = dragged?.mark;
    dragged = null;
    const isThere = store.picture === picture && isSameMark(store.item.marks[number], before);
    if (end.type === "pointercancel" || !isThere) rebuild();
    else if (mark === before) openFor(number);
    else store.mark(store.item.marks.map((other, i) => (i === number ? mark : other)));
  };
}

/** @param {any} mark @param {number} dx @param {number} dy */
function shifted(mark, dx, dy) {
  return { ...mark, places: mark.places.map(([x, y]) => [clamp(x + dx, 0, 1), clamp(y + dy, 0, 1)]) };
}

/** @param {KeyboardEvent} event @param {number} number */
function keys(event, number) {
  const marks = store.item.marks;
  const step = event.shiftKey ? 0.05 : 0.005;
  const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
  if (way) store.mark(marks.map((m, i) => (i === number ? shifted(m, way[0] * step, way[1] * step) : m)));
  else if (event.key === "Delete" || event.key === "Backspace") store.mark(marks.filter((_, i) => i !== number));
  else if (event.key === "Enter" || event.key === " ") openFor(number);
  else return;
  event.preventDefault();
  event.stopPropagation();
}

let former = "";
store.addEventListener("item", () => {
  if (former !== store.shown) setCross(null);
  former = store.shown || "";
  rebuild();
});
store.addEventListener("put", () => setCross(null));
store.addEventListener("view", rebuild);
store.addEventListener("marks", rebuild);
onDraw(follow);
