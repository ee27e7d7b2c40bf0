// The address of a new project follows its name until somebody types an address. The server derives it the same way without script.

const name = document.getElementById("f-name");
const slug = document.getElementById("f-slug");
let typed = slug.value !== "";

// Lower-case letters, digits and single dashes; accents are dropped. As in mimir/frontend/pages/projects/views.py.
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
