"""Preview of a job's output file: text, Markdown, table, JSON, image or sandboxed document. Pure.

The content is untrusted. Only a bounded prefix is parsed, in Python only; native formats (Parquet,
archives) are never opened.
"""

import csv
import io
import itertools
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import urlsplit

from django.utils.safestring import SafeString
from markdown_it import MarkdownIt
from markdown_it.token import Token

READ_BYTES_MAX = 256 * 1024  # read from a file for its preview page
MARKDOWN_BYTES_MAX = (
    64 * 1024
)  # renders in less than a second in the worst case; longer files are shown as text
SHOWN_CHARS_MAX = 400_000
ROWS_MAX, COLUMNS_MAX, CELL_CHARS_MAX = 200, 60, 300
FRAME_BYTES_MAX = 16 * 1024 * 1024  # of an image or document

_IMAGES = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
)
_DELIMITED = {"csv": ",;\t|", "tsv": "\t"}
_MARKDOWN = ("md", "markdown")
_DOCUMENTS = {
    "html": "text/html; charset=utf-8",
    "htm": "text/html; charset=utf-8",
    "svg": "image/svg+xml",
}


class Kind(StrEnum):
    """Kind of preview."""

    TEXT = "text"
    MARKDOWN = "markdown"
    TABLE = "table"
    JSON = "json"
    IMAGE = "image"
    DOCUMENT = "document"  # in a frame without scripts
    BINARY = "binary"  # not shown


@dataclass(frozen=True, slots=True)
class View:
    """Content of the preview. `note`: why it is not complete, or shown as text; can be empty."""

    kind: Kind
    text: str = ""
    html: SafeString = field(default_factory=lambda: SafeString(""))
    header: list[str] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)
    note: str = ""


def media_type(name: str, head: bytes) -> str:
    """Media type of an image or document, by its first bytes or extension; "" for other files."""
    for magic, found in _IMAGES:
        if head.startswith(magic):
            return found
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    return _DOCUMENTS.get(_extension(name), "") if _is_text(head) else ""


def kind_of(name: str, head: bytes) -> Kind:
    """Choose the kind of preview from the name and the first bytes."""
    found = media_type(name, head)
    if found:
        return Kind.DOCUMENT if found in _DOCUMENTS.values() else Kind.IMAGE
    if not _is_text(head):
        return Kind.BINARY
    extension = _extension(name)
    if extension in _MARKDOWN:
        return Kind.MARKDOWN
    if extension in _DELIMITED:
        return Kind.TABLE
    return Kind.JSON if extension == "json" else Kind.TEXT


def view_of(name: str, head: bytes, size: int, image_url: Callable[[str], str]) -> View:
    """Build the preview from the first `READ_BYTES_MAX` bytes.

    `image_url`: address of another file of the same job.
    """
    kind, whole = kind_of(name, head), len(head) >= size
    if kind in (Kind.IMAGE, Kind.DOCUMENT):
        return (
            View(kind)
            if size <= FRAME_BYTES_MAX
            else View(Kind.BINARY, note="The file is too large to show.")
        )
    if kind is Kind.BINARY:
        return View(kind)
    text = head.decode("utf-8-sig", errors="replace")
    cut = "" if whole else f"Only the first {len(head) // 1024} KiB are shown."
    if kind is Kind.TABLE:
        return _table(
            text if whole else text[: text.rfind("\n") + 1], _DELIMITED[_extension(name)], cut
        )
    if kind is Kind.JSON and whole:
        return _json(text)
    if kind is Kind.MARKDOWN and whole and size <= MARKDOWN_BYTES_MAX:
        return View(kind, html=_markdown(text, image_url))
    return View(Kind.TEXT, text=text, note=cut)


def _extension(name: str) -> str:
    return name.rpartition(".")[2].lower() if "." in name else ""


def _is_text(head: bytes) -> bool:
    """Whether `head` is UTF-8 without NUL. The last character can be incomplete."""
    if b"\x00" in head:
        return False
    try:
        head.decode()
    except UnicodeDecodeError as error:
        return error.reason == "unexpected end of data" and len(head) > 3
    return True


def _table(text: str, delimiters: str, cut: str) -> View:
    first = text.partition("\n")[0]
    delimiter = max(delimiters, key=first.count)
    reader = csv.reader(io.StringIO(text), delimiter=delimiter)
    try:
        rows = [_cells(row) for row in itertools.islice(reader, ROWS_MAX + 1)]
        more = next(reader, None) is not None
    except csv.Error:
        return View(
            Kind.TEXT,
            text=text,
            note=cut or "This is not a readable table, so it is shown as text.",
        )
    notes = [f"The first {ROWS_MAX} rows are shown."] if more or cut else []
    if any(len(row) > COLUMNS_MAX for row in rows):
        notes.append(f"The first {COLUMNS_MAX} columns are shown.")
    width = min(COLUMNS_MAX, max((len(row) for row in rows), default=0))
    shown = [[*row[:width], *[""] * (width - len(row))] for row in rows]
    return View(Kind.TABLE, header=shown[0] if shown else [], rows=shown[1:], note=" ".join(notes))


def _cells(row: Sequence[str]) -> list[str]:
    return [
        cell if len(cell) <= CELL_CHARS_MAX else cell[:CELL_CHARS_MAX] + "…"
        for cell in row[: COLUMNS_MAX + 1]
    ]


def _json(text: str) -> View:
    try:
        value = json.loads(text)
        pieces, length = [], 0
        for piece in json.JSONEncoder(indent=2, ensure_ascii=False).iterencode(value):
            pieces.append(piece)
            length += len(piece)
            if length > SHOWN_CHARS_MAX:  # indentation of deep nesting is much longer than the file
                return View(
                    Kind.JSON,
                    text="".join(pieces)[:SHOWN_CHARS_MAX],
                    note="Only the first part is shown.",
                )
    except (ValueError, RecursionError):
        return View(Kind.TEXT, text=text, note="This is not valid JSON, so it is shown as text.")
    return View(Kind.JSON, text="".join(pieces))


def _markdown(text: str, image_url: Callable[[str], str]) -> SafeString:
    """Render CommonMark with tables; HTML is shown as text.

    Links lead to web addresses only, images to files of the same job only.
    """
    parser = MarkdownIt("commonmark", {"html": False, "linkify": False}).enable("table")
    tokens = parser.parse(text)
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(6, int(token.tag[1]) + 1)}"  # the page has its own h1
        token.children = _inline(token.children, image_url) if token.children else token.children
    html: str = parser.renderer.render(tokens, parser.options, {})
    return SafeString(html)  # escaped by the renderer: raw HTML is off


def _inline(children: Sequence[Token], image_url: Callable[[str], str]) -> list[Token]:
    kept = []
    for token in children:
        if token.type == "link_open":
            web = urlsplit(str(token.attrs.get("href", ""))).scheme in ("http", "https", "mailto")
            token.attrs = (
                {"href": token.attrs["href"], "rel": "noopener noreferrer nofollow"} if web else {}
            )
        elif token.type == "image":
            address = image_url(str(token.attrs.get("src", "")))
            if not address:
                kept.append(Token("text", "", 0, content=f"[image: {token.content}]"))
                continue
            token.attrs["src"] = address
        kept.append(token)
    return kept
