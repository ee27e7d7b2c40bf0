// Make one part of the page like another, changing only what differs: focus, selection, scroll and open details stay.
// Elements with `data-keep` are left alone; those with an id or a data-seq are recognised when their place changed.

const OWN = new Set([
  "open",
  "data-live",
  "data-lost",
  "data-sent",
  "data-asked",
  "data-opened",
  "data-folded",
]); // attributes that the page's script or the reader sets

export function morph(from, to) {
  if ("keep" in from.dataset) {
    for (const name of Object.keys(to.dataset)) from.dataset[name] = to.dataset[name];
    return;
  }
  attributes(from, to);
  children(from, to);
}

function attributes(from, to) {
  for (const { name } of [...from.attributes])
    if (!to.hasAttribute(name) && !OWN.has(name) && !own(from, name)) from.removeAttribute(name);
  for (const { name, value } of [...to.attributes]) {
    if (OWN.has(name) || own(from, name)) continue;
    if (from.getAttribute(name) !== value) from.setAttribute(name, value);
  }
}

// A time's title was turned to the reader's time zone.
const own = (element, name) => element.localName === "time" && name === "title";

// Texts that the script keeps true.
const ticking = (element) =>
  (element.localName === "time" && element.hasAttribute("datetime")) ||
  "since" in (element.dataset || {});

const keyOf = (node) =>
  node.nodeType === 1 ? node.id || node.dataset?.seq || node.dataset?.step || "" : "";

function same(a, b) {
  return a.nodeType === b.nodeType && a.nodeName === b.nodeName && keyOf(a) === keyOf(b);
}

// The node from `at` on that becomes `list[index]`; null when that one is new. An element without a key may have gone, or another may
// have come before it: whichever takes fewer steps is believed, so that a neighbour that comes or goes costs no state of those behind it.
function find(at, wanted, list, index) {
  let found = at;
  if (keyOf(wanted)) {
    while (found && !same(found, wanted)) found = found.nextSibling;
    return found;
  }
  if (!found || same(found, wanted)) return found;
  if (wanted.nodeType !== 1) return null;
  while (found && found.nodeType !== 1) found = found.nextSibling;
  const first = found;
  let gone = 0;
  for (; found && !same(found, wanted); found = found.nextSibling)
    if (found.nodeType === 1) gone += 1;
  if (!found || !gone) return found;
  const come = list
    .slice(index)
    .filter((one) => one.nodeType === 1)
    .findIndex((one) => same(first, one));
  return come < 0 || gone <= come ? found : null;
}

function children(from, to) {
  if (ticking(to) && ticking(from)) return;
  let at = from.firstChild;
  const list = [...to.childNodes];
  for (const [index, wanted] of list.entries()) {
    const found = find(at, wanted, list, index);
    if (!found) {
      from.insertBefore(document.importNode(wanted, true), at);
      continue;
    }
    while (at !== found) {
      const gone = at;
      at = at.nextSibling;
      gone.remove();
    }
    at = found.nextSibling;
    if (found.nodeType === 1) morph(found, wanted);
    else if (found.nodeValue !== wanted.nodeValue) found.nodeValue = wanted.nodeValue;
  }
  while (at) {
    const gone = at;
    at = at.nextSibling;
    gone.remove();
  }
}
