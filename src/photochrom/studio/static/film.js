/** A film: its shots on a timeline, the displayed frame, the job that colours it, and its result. */
import * as api from "./api.js";
import { find, make } from "./dom.js";
import { store } from "./store.js";
import { translateMessage, t } from "./words.js";

const section = find("#film");
const EVERY = 1000; // milliseconds between two queries of a job
/** @type {string | null} film for which the section is drawn */
let drawn = null;
/** @type {number | undefined} */
let timer;

const busy = (film) => [film.job, film.search].some((job) => ["waiting", "running"].includes(job.status));

function draw() {
  const film = store.item?.kind === "film" ? store.item : null;
  section.hidden = !film;
  if (!film) return (drawn = null);
  if (drawn !== film.id) build(film);
  drawn = film.id;
  const time = /** @type {HTMLInputElement} */ (find("#time"));
  if (!time.matches(":active")) time.value = String(film.time);
  find("#clock").textContent = `${clock(film.time)} / ${clock(film.duration)}`;
  shots(film);
  job(film);
}

/** @param {any} film */
function build(film) {
  const scrub = make("input", { type: "range", id: "time", min: 0, max: film.duration, step: "any", "aria-label": t("Time"),
    onchange: (event) => go(Number(event.target.value)) });
  section.replaceChildren(make("div", { class: "timeline" },
    make("div", { class: "shots", id: "shots", role: "group", "aria-label": t("Shots") }),
    make("div", { class: "row" },
      make("button", { type: "button", "aria-label": t("Previous frame"), onclick: () => step(-1.25) }, "‹"), scrub,
      make("button", { type: "button", "aria-label": t("Next frame"), onclick: () => step(0.5) }, "›"),
      make("output", { id: "clock" })),
    make("div", { class: "row", id: "job" },
      make("label", { id: "recolor-label" }, make("input", { type: "checkbox", id: "recolor", onchange: recolor }),
        make("span", { id: "recolor-text" })),
      make("button", { type: "button", class: "primary", id: "start", onclick: start }, t("Colour the film")),
      make("button", { type: "button", id: "stop", onclick: () => store.request(film.id, () => api.stop(film.id)) }, t("Stop")),
      make("progress", { id: "progress", "aria-label": t("Progress") }),
      make("button", { type: "button", id: "play", onclick: () => store.setView("play") }, t("Play")),
      make("output", { id: "job-text" }))),
  );
  /** @type {HTMLInputElement} */ (find("#recolor")).checked = film.recolor;
}

/** Show the first frame at or after a time, or the last frame. @param {number} time */
function go(time) {
  return store.edit({ do: "go", time: Math.max(time, 0) });
}

/** Show another frame. @param {number} frames number of frames; with a fraction, since times may be rounded */
function step(frames) {
  return go(store.item.time + frames * store.item.step);
}

/** @param {Event} event */
function recolor(event) {
  store.edit({ do: "recolor", recolor: /** @type {HTMLInputElement} */ (event.target).checked });
}

function start() {
  const recolor = /** @type {HTMLInputElement} */ (find("#recolor")).checked;
  const id = /** @type {string} */ (store.shown);
  store.request(id, () => api.start(id, recolor));
}

/** @param {any} film */
function shots(film) {
  const row = find("#shots");
  const isSearching = ["waiting", "running"].includes(film.search.status);
  for (let i = row.querySelectorAll("button").length; i < film.shots.length; i++) {
    const shot = film.shots[i];
    const label = t("Shot {number}, at {time}", { number: i + 1, time: clock(shot.start) });
    row.append(make("button", { type: "button", title: label, "aria-label": label, data: { start: shot.start }, onclick: () => go(shot.start) },
      make("img", { src: `/api/items/${film.id}/shots/${i}.jpg`, alt: "" }), make("span", {}, clock(shot.start))));
  }
  row.querySelectorAll("button").forEach((button, i) => {
    const { start: from, end } = film.shots[i];
    button.setAttribute("aria-current", String(film.time >= from - 1e-6 && film.time < end - 1e-6));
    button.classList.toggle("own", film.own.some((time) => time >= from - 1e-6 && time < end - 1e-6));
    button.classList.toggle("marked", film.marked.some((time) => time >= from - 1e-6 && time < end - 1e-6));
  });
  row.querySelector(".searching")?.remove();
  if (isSearching) row.append(make("span", { class: "searching" }, t("Finding shots …")));
}

/** @param {any} film */
function job(film) {
  const { status, done, total, isEstimate, secondsLeft, message } = film.job;
  const isBusy = ["waiting", "running"].includes(status);
  find("#recolor-label").hidden = film.coloredPart === "none" || isBusy;
  find("#recolor-text").textContent = film.coloredPart === "all" ? t("This film is already in colour: colour it anyway")
    : film.isKept ? t("This shot is in colour and stays as it is: colour shots in colour, too")
    : t("Some shots of this film are in colour: colour these, too");
  find("#start").hidden = isBusy;
  const start = /** @type {HTMLButtonElement} */ (find("#start"));
  start.textContent = film.result ? t("Colour what has changed") : t("Colour the film");
  start.disabled = film.isCurrent;
  find("#stop").hidden = !isBusy;
  const bar = /** @type {HTMLProgressElement} */ (find("#progress"));
  bar.hidden = status !== "running";
  if (total) [bar.max, bar.value] = [total, done];
  else bar.removeAttribute("value");
  const left = secondsLeft === undefined ? "" : t("{time} left", { time: clock(secondsLeft) });
  find("#job-text").textContent = {
    none: "", waiting: t("Waiting for another film to finish"), running: `${done} / ${total && isEstimate ? "≈ " : ""}${total || "?"}  ${left}`,
    stopped: t("Stopped. Colour the film again to continue where it left off."), failed: translateMessage(message), done: message.split("\n").map(translateMessage).join("\n"),
  }[status];
  find("#play").hidden = isBusy || !film.result;
}

/** @param {number} seconds */
function clock(seconds) {
  const whole = Math.floor(seconds);
  const parts = [Math.floor(whole / 60) % 60, whole % 60].map((part) => String(part).padStart(2, "0"));
  const hours = Math.floor(whole / 3600);
  return (hours ? `${hours}:` : "") + parts.join(":") + (seconds < 600 ? `.${Math.floor(10 * (seconds % 1))}` : "");
}

/** Query the films in progress until all are done. */
function watch() {
  clearTimeout(timer);
  const films = store.items.filter((item) => item.kind === "film" && busy(item));
  if (!films.length) return;
  timer = setTimeout(async () => {
    await Promise.all(films.map(({ id }) => store.request(id, () => api.item(id))));
    watch();
  }, EVERY);
}

store.addEventListener("item", draw);
store.addEventListener("items", watch);
