/** Names of guesses: "warmer", "blue, lower left" or "mostly green", in the language of the page. */
import { n, t } from "./words.js";

/** All words that occur in names. */
export const WORDS = [
  n("warmer"), n("cooler"), n("pinker"), n("greener"), n("paler"), n("nearly the same"),
  n("red"), n("pink"), n("brown"), n("orange"), n("beige"), n("olive"), n("yellow"), n("green"), n("turquoise"), n("blue"), n("violet"), n("grey"),
  n("top"), n("bottom"), n("left"), n("right"), n("centre"), n("upper left"), n("upper right"), n("lower left"), n("lower right"),
];

/** Translate a name. @param {string} name in English, perhaps with a number at its end */
export function nameOf(name) {
  const [, words, number] = /^(.*?)( \(\d+\))?$/.exec(name);
  const parts = words.split(", ").map((part) =>
    part.startsWith("mostly ") ? t("mostly {color}", { color: t(part.slice("mostly ".length)) }) : t(part));
  const text = parts.join(t(", ")) + (number || "");
  return text.charAt(0).toUpperCase() + text.slice(1);
}
