"""Detection of texts that cover each other on a page."""

from playwright.sync_api import Page

_SCRIPT = """() => {
  const apart = "svg, .sr, pre, textarea, select, script, style, noscript, .toasts";
  const boxes = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node; (node = walker.nextNode()); ) {
    const holder = node.parentElement;
    if (!node.data.trim() || holder.closest(apart)) continue;
    if (!holder.checkVisibility({ opacityProperty: true, visibilityProperty: true, contentVisibilityAuto: true })) continue;
    const clips = [];
    for (let one = holder; one && one !== document.body; one = one.parentElement) {
      if (getComputedStyle(one).overflow !== "visible") clips.push(one.getBoundingClientRect());
    }
    const range = document.createRange();
    range.selectNodeContents(node);
    for (const line of range.getClientRects()) {
      const box = { left: line.left, right: line.right, top: line.top, bottom: line.bottom, text: node.data.trim().slice(0, 60) };
      for (const clip of clips) {
        box.left = Math.max(box.left, clip.left);
        box.right = Math.min(box.right, clip.right);
        box.top = Math.max(box.top, clip.top);
        box.bottom = Math.min(box.bottom, clip.bottom);
      }
      if (box.right > box.left && box.bottom > box.top) boxes.push(box);
    }
  }
  boxes.sort((one, other) => one.top - other.top);
  const found = [];
  for (let i = 0; i < boxes.length; i++) {
    for (let j = i + 1; j < boxes.length && boxes[j].top < boxes[i].bottom; j++) {
      const wide = Math.min(boxes[i].right, boxes[j].right) - Math.max(boxes[i].left, boxes[j].left);
      const high = Math.min(boxes[i].bottom, boxes[j].bottom) - boxes[j].top;
      if (wide > 4 && high > 6) found.push(`${boxes[i].text} covers ${boxes[j].text}`);
    }
  }
  return found.slice(0, 5);
}"""  # noqa: E501


def overlaps(page: Page) -> list[str]:
    """Return at most five pairs of visible texts that overlap by more than 4 x 6 CSS pixels."""
    found: list[str] = page.evaluate(_SCRIPT)
    return found
