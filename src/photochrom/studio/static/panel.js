/** The tools beside the picture. */
import * as api from "./api.js";
import { find, make, save, showMessage } from "./dom.js";
import { store } from "./store.js";
import { nameOf } from "./guess_names.js";
import { n, t, translate } from "./words.js";

const panel = find("#panel");
const TOOLS = [
  ["point", n("Point"), "P", n("Click on the picture and choose a colour")],
  ["stroke", n("Stroke"), "S", n("Paint over something; it takes the current colour")],
  ["area", n("Lasso"), "A", n("Draw around something; it takes the current colour")],
  ["pick", n("Pick"), "I", n("Take a colour from the picture")],
  ["hand", n("Hand"), "H", n("Move the picture")],
];
/** Keys of the tools. */
export const KEYS = Object.fromEntries(TOOLS.map(([tool, , key]) => [key.toLowerCase(), tool]));
/** Item and choices for which the guesses were requested. */
let guessed = "";
/** The pending request for guesses. */
let asking = new AbortController();
/** Picture whose dials are shown. */
let lookedAt = "";

export function build() {
  guessed = ""; // their names are in the previous language
  panel.replaceChildren(
    make("section", {}, dial("vividness", n("Vividness"), 1), dial("strength", n("Strength of colour"), 2),
      make("label", { class: "check", id: "single-label" }, make("input", { type: "checkbox", id: "single", onchange: single }),
        make("span", { data: { t: "For this shot only" } }))),
    make("section", {},
      make("h2", { data: { t: "Colours you know" } }),
      make("div", { class: "tools", role: "group", data: { label: "Tool" } }, ...TOOLS.map(toolButton)),
      make("p", { class: "hint", id: "tool-help" }),
      make("div", { class: "row" },
        make("input", { type: "color", id: "color", data: { label: "Current colour" },
          onchange: (event) => store.use(event.target.value) }),
        make("div", { class: "swatches", id: "recent", role: "group", data: { label: "Recent colours" } })),
      make("label", { id: "brush-label" }, make("span", { data: { t: "Brush width" } }),
        make("input", { type: "range", min: 0.005, max: 0.12, step: 0.005, id: "brush",
          oninput: (event) => (store.brush = Number(event.target.value)) })),
      make("label", { class: "check" }, make("input", { type: "checkbox", id: "marked", onchange: (event) => store.reveal(event.target.checked) }),
        make("span", { data: { t: "Show colours on the picture" } }))),
    make("section", { id: "guesses-section" },
      make("h2", { data: { t: "Other guesses" } }),
      make("div", { class: "guesses", id: "guesses", role: "group", data: { label: "Other guesses" } })),
    make("section", { id: "borrow-section" },
      make("h2", { data: { t: "From another photograph" } }),
      make("div", { class: "row" },
        chooser("borrow", n("Borrow colours"), "image/*", borrow),
        make("button", { type: "button", id: "give-back", data: { t: "Give them back" }, onclick: () => store.edit({ do: "give back" }) }))),
    make("section", {},
      make("h2", { data: { t: "Hints as a file" } }),
      make("div", { class: "row" },
        make("button", { type: "button", data: { t: "Save hints" }, onclick: () => save(`/api/items/${store.shown}/hints.json`) }),
        chooser("load-hints", n("Load hints"), ".json", loadHints))),
    make("section", { class: "keys" }, make("details", {},
      make("summary", { data: { t: "Keys" } }),
      make("dl", {}, ...[
        [n("Space"), n("hold it to see the original")], [n("Ctrl Z"), n("undo")], [n("Ctrl Shift Z"), n("redo")],
        ["M", n("show or hide colours on the picture")], ["G", n("overview of all")], ["← →", n("previous or next photograph")], ["+ − 0 1", n("zoom in, out, fit, 100 %")],
        [n("Tab, arrows, Enter"), n("on the picture: move the cross, choose a colour")], [n("Delete"), n("remove the focused colour")],
      ].flatMap(([key, text]) => [make("dt", { data: { t: key } }), make("dd", { data: { t: text } })])))),
  );
  find("#brush").value = String(store.brush);
  translate(panel);
  refresh();
  tools();
}

/** @param {string} name @param {string} label @param {number} most */
function dial(name, label, most) {
  const output = make("output", {});
  const input = make("input", { type: "range", min: 0, max: most, step: 0.05, id: name });
  input.addEventListener("input", () => {
    output.textContent = Number(input.value).toFixed(2);
    store.edit({ do: "dial", dial: name, value: Number(input.value), shot: store.single });
  });
  return make("label", { class: "dial", id: `${name}-label`, for: name }, make("span", { data: { t: label } }), output, input);
}

/** Let the dials apply to the displayed shot only, or reset its dials to those of the film. @param {any} event */
function single(event) {
  store.single = event.target.checked;
  if (!store.single) store.edit({ do: "like the film" });
}

/** @param {string[]} tool */
function toolButton([tool, name, key, help]) {
  return make("button", {
    type: "button", title: `${t(help)} (${key})`, data: { tool, t: name }, onclick: () => store.setTool(tool),
  });
}

/** Return a button with which the visitor chooses a file. */
function chooser(id, label, accept, onChoice) {
  const input = /** @type {HTMLInputElement} */ (make("input", { type: "file", accept, hidden: true, id: `${id}-file` }));
  input.addEventListener("change", () => {
    if (input.files?.[0]) onChoice(input.files[0]);
    input.value = "";
  });
  return make("span", {}, make("button", { type: "button", id, data: { t: label }, onclick: () => input.click() }), input);
}

/** @param {File} file */
function borrow(file) {
  const id = /** @type {string} */ (store.shown);
  store.request(id, async () => {
    const answer = await api.borrow(id, file);
    showMessage(answer.matches ? t("Colours borrowed for {count} places", { count: answer.matches }) : t("Nothing in it matches this photograph."));
    return answer;
  });
}

/** @param {File} file */
function loadHints(file) {
  const id = /** @type {string} */ (store.shown);
  store.request(id, () => api.loadHints(id, file));
}

function refresh() {
  const item = store.item;
  if (!item || !panel.firstChild) return;
  for (const name of ["vividness", "strength"]) {
    const input = /** @type {HTMLInputElement} */ (find(`#${name}`));
    find(`#${name}-label`).hidden = item[name] === null && name === "vividness" && store.studio.vividness === null;
    if (document.activeElement !== input || !input.matches(":active")) input.value = item[name] ?? store.studio.vividness;
    find(`#${name}-label output`).textContent = Number(input.value).toFixed(2);
  }
  const isPhoto = item.kind === "photo";
  find("#single-label").hidden = isPhoto || item.shots.length < 2 || item.search.status !== "done";
  if (lookedAt !== store.picture) store.single = Boolean(item.isOwn);
  lookedAt = store.picture;
  find("#single").checked = store.single;
  find("#guesses-section").hidden = !isPhoto || !store.studio.guesses;
  find("#borrow-section").hidden = !isPhoto;
  find("#give-back").hidden = !item.borrowed;
  guess(item);
  choose(item);
}

/** Request the alternatives of a photograph once it is shown, since they take longer than the picture. @param {any} item */
async function guess(item) {
  if (item.kind !== "photo" || !store.studio.guesses) return;
  const key = `${item.id} ${JSON.stringify(item.marks)} ${item.vividness} ${item.borrowed}`;
  if (key === guessed) return;
  const isOther = guessed.split(" ")[0] !== item.id;
  guessed = key;
  const grid = find("#guesses");
  if (isOther) grid.replaceChildren(...Array.from({ length: 5 }, () => make("span", {}))); // placeholders of the final size
  grid.setAttribute("aria-busy", "true");
  asking.abort(); // when leafing through the tray, only the last photograph's guesses matter
  asking = new AbortController();
  const answer = await api.guesses(item.id, asking.signal).catch((error) => guessed === key && void showMessage(error.message, true));
  if (guessed !== key) return; // meanwhile, another item is shown, or this one has changed
  grid.setAttribute("aria-busy", "false");
  if (!answer) return;
  const first = make("span", { data: { t: "First picture" } });
  const others = answer.names.map((name, number) => [
    make("img", { src: `/api/items/${item.id}/guesses/${answer.number}/${number}.jpg`, alt: "" }), make("span", {}, nameOf(name)),
  ]);
  grid.replaceChildren(...[[first], ...others].map((content, i) => make("button", {
    type: "button", data: { guess: i ? i - 1 : "" },
    onclick: () => store.edit({ do: "guess", guess: i ? i - 1 : null, of: answer.number }),
  }, ...content)));
  translate(grid);
  choose(store.item || item);
}

/** @param {any} item */
function choose(item) {
  for (const button of find("#guesses").querySelectorAll("button")) {
    const isChosen = button.dataset.guess === String(item.guess ?? "");
    button.setAttribute("aria-pressed", String(isChosen));
  }
}

function tools() {
  if (!panel.firstChild) return;
  for (const button of panel.querySelectorAll("[data-tool]")) {
    button.setAttribute("aria-pressed", String(button.dataset.tool === store.tool));
  }
  const [, , , help] = TOOLS.find(([tool]) => tool === store.tool);
  find("#tool-help").textContent = t(help);
  find("#canvas").dataset.tool = store.tool;
  find("#color").value = store.color;
  find("#brush").disabled = store.tool !== "stroke";
  find("#marked").checked = store.marked;
  find("#recent").replaceChildren(...store.recent.map((color) => {
    const button = make("button", { type: "button", class: "swatch", title: color, "aria-label": color, onclick: () => store.use(color) });
    button.style.background = color;
    return button;
  }));
}

store.addEventListener("item", refresh);
store.addEventListener("tool", tools);
