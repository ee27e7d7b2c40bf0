// Typed access to the elements of a page.

/**
 * Return the first element that matches. Throws if it is missing or of another type: the page and
 * its script belong together.
 * @template {Element} T
 * @param {string} selector
 * @param {{ new (): T, prototype: T }} type
 * @param {ParentNode} [root]
 * @returns {T}
 */
export function find(selector, type, root = document) {
  const element = findOptional(selector, type, root);
  if (!element) throw new Error(`The page has no ${selector}`);
  return element;
}

/**
 * Return the first element that matches, or null.
 * @template {Element} T
 * @param {string} selector
 * @param {{ new (): T, prototype: T }} type
 * @param {ParentNode} [root]
 * @returns {T | null}
 */
export function findOptional(selector, type, root = document) {
  const element = root.querySelector(selector);
  return element instanceof type ? element : null;
}

/**
 * Return all HTML elements that match.
 * @param {string} selector
 * @param {ParentNode} [root]
 * @returns {HTMLElement[]}
 */
export function findAll(selector, root = document) {
  return [...root.querySelectorAll(selector)].filter((element) => element instanceof HTMLElement);
}

/**
 * Return the control of a form by its name.
 * @param {HTMLFormElement} form
 * @param {string} name
 * @returns {HTMLInputElement}
 */
export function input(form, name) {
  const element = form.elements.namedItem(name);
  if (!(element instanceof HTMLInputElement)) throw new Error(`The form has no input ${name}`);
  return element;
}

/**
 * Return the HTML element that an event happened in, or null for the document and for SVG.
 * @param {Event} event
 * @returns {Element | null}
 */
export const targetOf = (event) => (event.target instanceof Element ? event.target : null);

/**
 * Return the data of a form as the body of a POST without files.
 * @param {HTMLFormElement} form
 * @returns {URLSearchParams}
 */
export function formParameters(form) {
  const body = new URLSearchParams();
  for (const [name, value] of new FormData(form))
    if (typeof value === "string") body.append(name, value);
  return body;
}

/**
 * Set the text of an element if it differs.
 * @param {Element | null | undefined} element
 * @param {string} text
 */
export function setText(element, text) {
  if (element && element.textContent !== text) element.textContent = text;
}

/**
 * Create an icon of the page's SVG sprite.
 * @param {string} name
 * @returns {SVGSVGElement}
 */
export function icon(name) {
  const sprite = document.querySelector("svg.i use")?.getAttribute("href")?.split("#")[0] || "";
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("class", "i");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `${sprite}#${name}`);
  svg.append(use);
  return svg;
}

/**
 * Parse the HTML of a response as a page.
 * @param {Response} response
 * @returns {Promise<Document>}
 */
export async function parsePage(response) {
  return new DOMParser().parseFromString(await response.text(), "text/html");
}
