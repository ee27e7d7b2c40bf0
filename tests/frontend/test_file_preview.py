"""Preview of hostile files from jobs.

Each kind is recognised by its content and displayed within limits, and nothing in it becomes
markup.
"""

import json
import time

import pytest

from mimir.frontend.pages.job import file_preview
from mimir.frontend.pages.job.file_preview import Kind, kind_of, media_type, view_of

PNG, GIF, JPEG = b"\x89PNG\r\n\x1a\n....", b"GIF89a....", b"\xff\xd8\xff\xe0...."
K64 = file_preview.MARKDOWN_BYTES_MAX


def _view(name: str, content: bytes | str, size: int | None = None) -> file_preview.View:
    head = content.encode() if isinstance(content, str) else content
    size = len(head) if size is None else size
    return view_of(
        name,
        head[: file_preview.READ_BYTES_MAX],
        size,
        lambda source: f"/raw/{source}" if source == "plot.png" else "",
    )


@pytest.mark.parametrize(
    ("name", "head", "kind", "sent_as"),
    [
        ("report.md", b"# Title", Kind.MARKDOWN, ""),
        ("rows.csv", b"a,b\n1,2\n", Kind.TABLE, ""),
        ("rows.tsv", b"a\tb\n", Kind.TABLE, ""),
        ("x.json", b"{}", Kind.JSON, ""),
        ("notes.txt", b"hello", Kind.TEXT, ""),
        ("noextension", b"hello", Kind.TEXT, ""),
        ("empty.log", b"", Kind.TEXT, ""),
        ("plot.png", PNG, Kind.IMAGE, "image/png"),
        ("called.txt", PNG, Kind.IMAGE, "image/png"),
        ("photo.JPG", JPEG, Kind.IMAGE, "image/jpeg"),
        ("anim.gif", GIF, Kind.IMAGE, "image/gif"),
        ("pic.webp", b"RIFF\x00\x00\x00\x00WEBPVP8 ", Kind.IMAGE, "image/webp"),
        ("report.html", b"<script>alert(1)</script>", Kind.DOCUMENT, "text/html; charset=utf-8"),
        ("drawing.svg", b"<svg onload='alert(1)'/>", Kind.DOCUMENT, "image/svg+xml"),
        ("fake.png", b"<script>alert(1)</script>", Kind.TEXT, ""),
        ("fake.html", b"\x00\x01", Kind.BINARY, ""),
        ("table.parquet", b"PAR1\x00\x00", Kind.BINARY, ""),
        ("model.skops", b"PK\x03\x04\xff\xfe", Kind.BINARY, ""),
        ("utf16.txt", "hello".encode("utf-16"), Kind.BINARY, ""),
    ],
)
def test_the_kind_comes_from_the_content_and_only_text_from_the_name(
    name: str, head: bytes, kind: Kind, sent_as: str
) -> None:
    assert (kind_of(name, head), media_type(name, head)) == (kind, sent_as)


@pytest.mark.parametrize(
    ("source", "never"),
    [
        ("<script>alert(1)</script>", "<script"),
        ("<img src=x onerror=alert(1)>", "<img"),
        ("[x](javascript:alert(1))", 'href="javascript'),
        ("[x](JaVaScRiPt:alert(1))", "href"),
        ("[x](data:text/html;base64,PHNjcmlwdD4=)", "href"),
        ("[x](/signout/)", "href"),
        ("[x](//evil.example/)", "href"),
        ("![x](https://evil.example/track.png)", "<img"),
        ("![x](data:image/svg+xml;base64,PHN2Zz4=)", "<img"),
        ('[x](https://a.example "t\\" onclick=alert(1)")', "onclick"),
        ('<https://a.example/"onmouseover=alert(1)>', 'onmouseover="'),
        ("```html\n<script>\n```", "<script"),
        ("a | b\n-|-\n<b>x</b> | y", "<b>"),
    ],
)
def test_markdown_never_becomes_markup_of_the_author(source: str, never: str) -> None:
    assert never not in str(_view("a.md", source).html)


def test_markdown_keeps_its_structure_its_web_links_and_its_own_images() -> None:
    html = str(
        _view(
            "a.md",
            "# Title\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n[site](https://a.example) "
            "![plot](plot.png)",
        ).html
    )
    assert "<h2>Title</h2>" in html
    assert "<td>1</td>" in html
    assert 'href="https://a.example" rel="noopener noreferrer nofollow"' in html
    assert '<img src="/raw/plot.png" alt="plot"' in html


@pytest.mark.parametrize(
    "piece",
    [
        "[",
        "![",
        "[a](",
        "*a ",
        "**a",
        "<a",
        "> ",
        "- a\n ",
        "&a;",
        "`",
        "|a|b|\n|-|-|\n",
        "[[[]]]",
        "a|",
        "_a ",
        "[a]: b\n",
    ],
)
def test_markdown_of_any_content_is_rendered_quickly(piece: str) -> None:
    began = time.process_time()
    view = _view("a.md", (piece * K64)[:K64])
    assert view.kind is Kind.MARKDOWN
    assert time.process_time() - began < 3


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        "[" * 900 + "]" * 900,
        "{bad",
        '{"a": NaN}',
        "9" * 10_000,
        json.dumps([[[[["x"]]]]] * 9000),
        '"' + "a" * 200_000 + '"',
    ],
)
def test_json_of_any_content_is_shown_within_bounds(text: str) -> None:
    view = _view("a.json", text)
    assert len(view.text) <= file_preview.SHOWN_CHARS_MAX
    assert view.text


def test_deep_json_does_not_grow_by_its_indentation() -> None:
    deep = "[" + ",".join(["[" * 400 + "]" * 400] * 250) + "]"
    assert len(_view("a.json", deep).text) <= file_preview.SHOWN_CHARS_MAX


@pytest.mark.parametrize(
    ("text", "header", "first"),
    [
        ("a,b\n1,2\n", ["a", "b"], ["1", "2"]),
        ("a;b\n1,5;2\n", ["a", "b"], ["1,5", "2"]),
        ('a,b\n"x, y","<b>"\n', ["a", "b"], ["x, y", "<b>"]),
        ("a,b\n1\n", ["a", "b"], ["1", ""]),
        ("\ufeffa,b\n1,2\n", ["a", "b"], ["1", "2"]),
    ],
)
def test_a_table_shows_its_cells(text: str, header: list[str], first: list[str]) -> None:
    view = _view("a.csv", text)
    assert (view.kind, view.header, view.rows[0]) == (Kind.TABLE, header, first)


@pytest.mark.parametrize(
    "text",
    [
        "a," * 5000 + "\n" + "1," * 5000,
        "x\n" * 5000,
        '"' + "a" * 200_000,
        "",
        "\n",
        "a,b\n" + "y" * 200_000 + ",1\n",
    ],
)
def test_a_table_of_any_content_stays_within_bounds(text: str) -> None:
    view = _view("a.csv", text)
    assert len(view.rows) <= file_preview.ROWS_MAX
    assert all(len(row) <= file_preview.COLUMNS_MAX for row in [view.header, *view.rows])
    assert all(
        len(cell) <= file_preview.CELL_CHARS_MAX + 1
        for row in [view.header, *view.rows]
        for cell in row
    )


def test_a_long_file_says_that_it_is_cut() -> None:
    for name in ("a.txt", "a.md", "a.json", "a.csv"):
        assert "first" in _view(name, "word,word\n" * 100_000).note, name
