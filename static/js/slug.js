// The address of a new project follows its name until the user types an address. Without script the
// server derives it the same way.

import { find } from "./dom.js";

const name = find("#f-name", HTMLInputElement);
const slug = find("#f-slug", HTMLInputElement);
let typed = slug.value !== "";

/**
 * Lower-case letters, digits and single dashes, without accents. The same rule as
 * `projects.core.slugs` in Python.
 * @param {string} text
 */
export const slugOf = (text) =>
  text
    .replaceAll("ß", "ss")
    .normalize("NFKD")
    .replace(/[\u0300-\u036f]/g, "")
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-+/, "")
    .slice(0, 63)
    .replace(/-+$/, "");

slug.addEventListener("input", () => {
  typed = slug.value !== "";
});
name.addEventListener("input", () => {
  if (!typed) slug.value = slugOf(name.value);
});
