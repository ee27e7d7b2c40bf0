// Change one part of the page into another and touch only the differences: focus, selection, scroll
// position and open details stay. Elements with `data-keep` are not changed; elements with an id, a
// data-seq or a data-step are recognised after their place changed.

// Attributes that the page's script or the reader sets.
const LOCAL = new Set([
  "open",
  "data-live",
  "data-lost",
  "data-sent",
  "data-confirmed",
  "data-opened",
  "data-folded",
]);

/**
 * @param {Element} from
 * @param {Element} to
 */
export function morph(from, to) {
  if (from.hasAttribute("data-keep")) {
    for (const { name, value } of [...to.attributes]) {
      if (name.startsWith("data-")) from.setAttribute(name, value);
    }
    return;
  }
  morphAttributes(from, to);
  morphChildren(from, to);
}

/**
 * @param {Element} from
 * @param {Element} to
 */
function morphAttributes(from, to) {
  for (const { name } of [...from.attributes]) {
    if (!to.hasAttribute(name) && !isLocal(from, name)) from.removeAttribute(name);
  }
  for (const { name, value } of [...to.attributes]) {
    if (isLocal(from, name)) continue;
    if (from.getAttribute(name) !== value) from.setAttribute(name, value);
  }
}

/**
 * Return true for an attribute that the server does not own. The title of a time is in the
 * reader's time zone.
 * @param {Element} element
 * @param {string} name
 */
const isLocal = (element, name) =>
  LOCAL.has(name) || (element.localName === "time" && name === "title");

/**
 * Return true for an element whose text the script keeps current.
 * @param {Element} element
 */
const isTicking = (element) =>
  (element.localName === "time" && element.hasAttribute("datetime")) ||
  element.hasAttribute("data-since");

/** @param {Node} node */
const keyOf = (node) =>
  node instanceof Element
    ? node.id || node.getAttribute("data-seq") || node.getAttribute("data-step") || ""
    : "";

/**
 * @param {Node} a
 * @param {Node} b
 */
const isSame = (a, b) =>
  a.nodeType === b.nodeType && a.nodeName === b.nodeName && keyOf(a) === keyOf(b);

/**
 * Return the node from `at` on that becomes `list[index]`, or null if that one is new.
 *
 * An element without a key may have been removed, or another may have been inserted before it. The
 * choice with fewer steps wins, and the elements behind it keep their state.
 * @param {ChildNode | null} at
 * @param {ChildNode[]} list
 * @param {number} index
 * @returns {ChildNode | null}
 */
function findMatch(at, list, index) {
  const wanted = list[index];
  let found = at;
  if (keyOf(wanted)) {
    while (found && !isSame(found, wanted)) found = found.nextSibling;
    return found;
  }
  if (!found || isSame(found, wanted)) return found;
  if (!(wanted instanceof Element)) return null;
  while (found && !(found instanceof Element)) found = found.nextSibling;
  const first = found;
  let removed = 0;
  for (; found && !isSame(found, wanted); found = found.nextSibling) {
    if (found instanceof Element) removed += 1;
  }
  if (!first || !found || !removed) return found;
  const inserted = list
    .slice(index)
    .filter((node) => node instanceof Element)
    .findIndex((node) => isSame(first, node));
  return inserted < 0 || removed <= inserted ? found : null;
}

/**
 * @param {Element} from
 * @param {Element} to
 */
function morphChildren(from, to) {
  if (isTicking(to) && isTicking(from)) return;
  let at = from.firstChild;
  const list = [...to.childNodes];
  for (const [index, wanted] of list.entries()) {
    const found = findMatch(at, list, index);
    if (!found) {
      from.insertBefore(document.importNode(wanted, true), at);
      continue;
    }
    removeUntil(at, found);
    at = found.nextSibling;
    if (found instanceof Element && wanted instanceof Element) morph(found, wanted);
    else if (found.nodeValue !== wanted.nodeValue) found.nodeValue = wanted.nodeValue;
  }
  removeUntil(at, null);
}

/**
 * Remove the siblings from `at` up to `end`, which stays.
 * @param {ChildNode | null} at
 * @param {ChildNode | null} end
 */
function removeUntil(at, end) {
  let next = at;
  while (next && next !== end) {
    const removed = next;
    next = next.nextSibling;
    removed.remove();
  }
}
