// The slider beside the memory field of a job: powers of two, from MiB to GiB. The text field holds
// the value; the slider follows it and fills it.

const UNITS = /** @type {Record<string, number>} */ ({
  "": 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
});
const MIB = 2 ** 20;
const GIB_POWER = 10; // 1 GiB as a power of two in MiB

/**
 * Return an amount as a Kubernetes quantity: 512Mi, 4Gi.
 * @param {number} power of two in MiB
 */
export const quantityOf = (power) =>
  power < GIB_POWER ? `${2 ** power}Mi` : `${2 ** (power - GIB_POWER)}Gi`;

/**
 * Return the nearest power of two in MiB of a Kubernetes quantity, or null for other text.
 * @param {string} quantity
 */
export function powerOf(quantity) {
  const found = /^(\d+(?:\.\d+)?)([KMGT]i|[kMGT]?)$/.exec(quantity.trim());
  const bytes = found ? Number(found[1]) * UNITS[found[2]] : 0;
  return bytes > 0 ? Math.round(Math.log2(bytes / MIB)) : null;
}

/**
 * Let sliders fill their fields, and follow what is typed there.
 * @param {HTMLFormElement} form
 */
export function bindSliders(form) {
  form.addEventListener("input", ({ target }) => {
    if (!(target instanceof HTMLInputElement)) return;
    if (target.dataset.slider) {
      const field = form.elements.namedItem(target.dataset.slider);
      if (field instanceof HTMLInputElement) field.value = quantityOf(Number(target.value));
      name(target);
      return;
    }
    for (const slider of form.querySelectorAll(`[data-slider="${CSS.escape(target.name)}"]`)) {
      if (slider instanceof HTMLInputElement) follow(slider, target.value);
    }
  });
}

/**
 * Move a slider to a typed amount, and to the default for an empty field.
 * @param {HTMLInputElement} slider
 * @param {string} quantity
 */
function follow(slider, quantity) {
  const power = quantity.trim() ? powerOf(quantity) : Number(slider.dataset.default);
  if (power === null) return; // not an amount yet
  slider.value = String(power); // within its bounds
  name(slider);
}

/** @param {HTMLInputElement} slider */
function name(slider) {
  const text = quantityOf(Number(slider.value)).replace(/(Mi|Gi)$/, " $1B");
  slider.setAttribute("aria-valuetext", text);
}
