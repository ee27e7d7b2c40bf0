"""Extract the English text of a source file: docstrings, comments, strings and page text."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

DOCSTRING, COMMENT, STRING, TEXT, PROSE = "docstring", "comment", "string", "text", "prose"
HASH_COMMENTS = {".yaml", ".yml", ".sh", ".toml", ".in", ".conf", ".cfg", ".j2", ".tmpl"}
HASH_NAMES = {"Makefile", "Dockerfile", ".dockerignore", ".gitignore", ".editorconfig"}

_QUOTED = r"\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'"
_REGEX = r"/(?![*/])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n\[])+/[a-z]*"
_SCRIPT = re.compile(
    rf"(?P<comment>//[^\n]*(?:\n[ \t]*//[^\n]*)*|/\*.*?\*/)"
    rf"|(?P<string>{_QUOTED}|`(?:\\.|[^`\\])*`)"
    rf"|(?:(?<=[(,=:\[!&|?{{;])|(?<=[(,=:\[!&|?{{;] ))(?P<regex>{_REGEX})",
    re.DOTALL,
)
_STYLE_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
_TEMPLATE_COMMENT = re.compile(
    r"\{#.*?#\}|\{%\s*comment.*?endcomment\s*%\}|<!--.*?-->|/\*.*?\*/", re.DOTALL
)
_TEMPLATE_TAG = re.compile(r"\{%.*?%\}|\{\{.*?\}\}", re.DOTALL)
_HTML_TAG = re.compile(r"</?[a-zA-Z][^<>]*>", re.DOTALL)
_ATTRIBUTE = re.compile(
    r"\s(?:title|aria-label|aria-description|placeholder|alt|label|content|data-[a-z-]+)"
    r"=\"([^\"]*)\""
)
_FENCE = re.compile(r"^(?P<fence>```+|~~~+).*?^(?P=fence)[ \t]*$", re.DOTALL | re.MULTILINE)
_CODE = re.compile(r"`[^`\n]*`|\]\([^)\s]*\)|https?://\S+")
_HASH = re.compile(r"(?:^|(?<=\s))#(?!!)[^\n]*(?:\n[ \t]*#[^\n]*)*", re.MULTILINE)


@dataclass(frozen=True)
class Passage:
    """One piece of text: its kind, the line it starts on, and the text itself."""

    kind: str
    line: int
    text: str


def passages(path: Path, source: str) -> Iterator[Passage]:
    """Yield the passages of one file. A file of an unknown type has none."""
    if path.suffix == ".py":
        yield from _python(source)
    elif path.suffix in (".js", ".mjs", ".ts"):
        yield from _script(source)
    elif path.suffix == ".css":
        for found in _STYLE_COMMENT.finditer(source):
            yield _at(source, found.start(), COMMENT, found.group())
    elif path.suffix in (".html", ".svg") or "templates" in path.parts:
        yield from _template(source)
    elif path.suffix == ".md":
        yield Passage(PROSE, 1, _CODE.sub(_blank, _FENCE.sub(_blank, source)))
    elif path.suffix in HASH_COMMENTS or path.name in HASH_NAMES:
        comments = list(_HASH.finditer(source))
        for found in comments:
            yield _at(source, found.start(), COMMENT, found.group())
        yield Passage(PROSE, 1, _HASH.sub(_blank, source))
    elif path.suffix == ".json" and "package-lock" not in path.name:
        yield Passage(PROSE, 1, source)


def plain(text: str) -> str:
    """Return the words of a passage, without comment marks, code markup and indentation."""
    text = re.sub(r"^[ \t]*(?:#+:?|//+|/\*+|\*+/|\*|\{#|<!--)", _blank, text, flags=re.MULTILINE)
    return _CODE.sub(_blank, text)


def _python(source: str) -> Iterator[Passage]:
    tree = ast.parse(source)
    documented: set[int] = set()
    joined: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if (
                isinstance(first, ast.Expr)
                and isinstance(first.value, ast.Constant)
                and isinstance(first.value.value, str)
            ):
                documented.add(id(first.value))
                yield Passage(DOCSTRING, first.lineno, first.value.value)
        if isinstance(node, ast.JoinedStr):
            parts = [
                str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values
            ]
            joined.update(id(part) for part in node.values)
            yield Passage(STRING, node.lineno, "".join(parts))
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and id(node) not in documented | joined
        ):
            yield Passage(STRING, node.lineno, node.value)
    yield from _python_comments(source)


def _python_comments(source: str) -> Iterator[Passage]:
    """Yield the comments; consecutive lines are one passage."""
    start = 0
    lines: list[str] = []
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type != tokenize.COMMENT:
            continue
        line, alone = token.start[0], token.line.lstrip().startswith("#")
        if lines and not (alone and line == start + len(lines)):
            yield Passage(COMMENT, start, "\n".join(lines))
            lines = []
        if not lines:
            start = line
        lines.append(token.string)
    if lines:
        yield Passage(COMMENT, start, "\n".join(lines))


def _script(source: str) -> Iterator[Passage]:
    for found in _SCRIPT.finditer(source):
        if found["comment"]:
            yield _at(source, found.start(), COMMENT, found.group())
        elif found["string"]:
            text = re.sub(r"\$\{[^{}]*\}", "…", found.group()[1:-1])
            yield _at(source, found.start(), STRING, text)


def _template(source: str) -> Iterator[Passage]:
    for found in _TEMPLATE_COMMENT.finditer(source):
        yield _at(source, found.start(), COMMENT, found.group())
    source = _TEMPLATE_COMMENT.sub(_blank, source)
    for tag in _TEMPLATE_TAG.finditer(source):
        for quoted in re.finditer(_QUOTED, tag.group()):
            if " " in quoted.group():
                yield _at(source, tag.start() + quoted.start(), TEXT, quoted.group()[1:-1])
    # Computed parts keep their length, to keep line numbers correct.
    source = _TEMPLATE_TAG.sub(lambda found: re.sub(r"[^\n]", "\x00", found.group()), source)
    end = 0
    for tag in _HTML_TAG.finditer(source):
        yield _at(source, end, TEXT, source[end : tag.start()].replace("\x00", " "))
        end = tag.end()
        for attribute in _ATTRIBUTE.finditer(tag.group()):
            text = attribute[1].replace("\x00", " ")
            yield _at(source, tag.start() + attribute.start(1), TEXT, text)
    yield _at(source, end, TEXT, source[end:].replace("\x00", " "))


def _at(source: str, offset: int, kind: str, text: str) -> Passage:
    skipped = len(text) - len(text.lstrip())
    line = source.count("\n", 0, offset) + text.count("\n", 0, skipped) + 1
    return Passage(kind, line, text.strip())


def _blank(found: re.Match[str]) -> str:
    return re.sub(r"[^\n]", " ", found.group())
