"""List text that breaks the language rules of the project.

`python -m tests.checks.language [--names] [path ...]` prints `file:line: rule: text` for each
docstring, comment, string and page text that matches a rule, and a count by package. Without a
path it checks the repository. With `--names` it also checks the names that Python code defines.
The exit code is 1 if something is found. Strings in `tests/` are data and are not checked.
"""

import argparse
import ast
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.checks.prose import DOCSTRING, PROSE, STRING, TEXT, passages, plain

ROOT = Path(__file__).resolve().parents[2]
SKIPPED = re.compile(
    r"(^|/)(migrations|node_modules|fonts|licences)/|^tests/launchers/(recorded|variants)/"
    r"|^LICENSE|^NOTICE"
)

# Each rule names the plain wording. Words may stand on two lines.
PHRASES = {
    "who is/are/may/does → that, or name the person": r"who (is|are|was|may|does|has|did|can)",
    "told → reported, shown": r"(is|are|was|were|be|been|being|gets|get) told",
    "told of → reported, recorded": r"(told|tells?|telling) of",
    "what came of → result, outcome": r"(what|all that) (came|comes|become|becomes|became) of",
    "for ever → permanently, without limit": r"for ever",
    "left out → omitted, empty, Automatic": r"(left|leaves?|leaving) (it |them )?out",
    "mend → fix": r"mend(s|ed|ing)?",
    "by chance → random": r"by chance",
    "has to be → must be": r"(has|have|had) to (be|have|hold|stand|say|give|name|come)",
    "may not → cannot, must not, might not": r"may not",
    "take away → remove": r"(takes?|taken|taking|took) (it |them |this |that )?away",
    "goes on → continues": r"(go|goes|going|went|gone) on\b(?! to)",
    "given up → abandoned, timed out": r"(is|are|was|were|been|be) given up",
    "law → rule": r"laws?",
    "room → capacity, space, slot": r"rooms?",
    "house → layout, project": r"houses?",
    "story → feature, history": r"(story|stories)",
    "heard of/from → last heartbeat": r"(heard|hears?) (of|from)",
    "is no X → is not an X": r"(?<!there\x20)(is|are|was|were) no (?!longer|more|less)[a-z]+",
}
FIRST_LINE = {
    "so that (first line) → two sentences": r"so that",
    "of each once (first line) → once for each": r"of each once",
}
HEADLESS = re.compile(
    r"(What|Which|Whom|Whose|Who|Whoever|Whatever|Whichever|All that|Those (that|who)|That which"
    r"|For (whom|what|who))\b"
)
NAMES = {
    *("told", "asked", "made", "seen", "look", "looks", "story", "stories", "words", "sight"),
    *("sights", "scene", "orders", "family", "room", "rooms", "law", "laws", "heard", "whom"),
}


def _rule(pattern: str) -> re.Pattern[str]:
    spaced = pattern.replace(" ", r"\s+")
    return re.compile(rf"(?<![\w-]){spaced}(?![\w-])", re.IGNORECASE)


PHRASE_RULES = {rule: _rule(pattern) for rule, pattern in PHRASES.items()}
FIRST_LINE_RULES = {rule: _rule(pattern) for rule, pattern in FIRST_LINE.items()}


@dataclass(frozen=True)
class Finding:
    """One place in a file that breaks a rule."""

    path: str
    line: int
    rule: str
    text: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.rule}: {self.text}"


def findings(path: str, source: str, names: bool = False) -> list[Finding]:
    """Check one file. `path` is relative to the repository and decides the rules."""
    found = []
    for passage in passages(Path(path), source):
        if passage.kind == STRING and (path.startswith("tests/") or " " not in passage.text):
            continue
        for offset, rule in _matches(passage.kind, plain(passage.text)):
            line = passage.line + passage.text.count("\n", 0, offset)
            begin = passage.text.rfind("\n", 0, offset) + 1
            shown = passage.text[max(begin, offset - 50) : offset + 80].partition("\n")[0]
            found.append(Finding(path, line, rule, shown.strip()))
    if names and path.endswith(".py"):
        found += [Finding(path, line, "name", name) for line, name in _names(source)]
    return sorted(found, key=lambda each: each.line)


def _matches(kind: str, text: str) -> Iterator[tuple[int, str]]:
    for rule, pattern in PHRASE_RULES.items():
        yield from ((match.start(), rule) for match in pattern.finditer(text))
    if kind == DOCSTRING:
        first = text.strip().partition("\n")[0]
        for rule, pattern in FIRST_LINE_RULES.items():
            if match := pattern.search(first):
                yield len(text) - len(text.lstrip()) + match.start(), rule
    if kind != PROSE:
        start = len(text) - len(text.lstrip())
        question = text.rstrip().endswith("?") or text.startswith("What to ", start)
        if HEADLESS.match(text, start) and not (question and kind in (STRING, TEXT)):
            yield start, "starts with a clause without a noun"


def _names(source: str) -> Iterator[tuple[int, str]]:
    """Yield the functions, classes, parameters and variables with a word of `NAMES`."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            line, name = node.lineno, node.name
        elif isinstance(node, ast.arg):
            line, name = node.lineno, node.arg
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            line, name = node.lineno, node.id
        else:
            continue
        if NAMES & set(re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower().split("_")):
            yield line, name


def files(paths: list[str]) -> list[str]:
    """List the tracked and new files below `paths`, relative to the repository."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *paths],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    names = sorted(set(listed.splitlines()))
    return [name for name in names if not SKIPPED.search(name) and (ROOT / name).is_file()]


def package(path: str) -> str:
    """Return the package that a file is counted for: its first two folders."""
    return "/".join(Path(path).parent.parts[:2]) or "."


def main(arguments: list[str]) -> int:
    """Print the findings and the count by package; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.checks.language")
    parser.add_argument("--names", action="store_true", help="check the names of Python code too")
    parser.add_argument("path", nargs="*", help="files or folders; default: the repository")
    options = parser.parse_args(arguments)
    counted: Counter[str] = Counter()
    for name in files(options.path):
        try:
            source = (ROOT / name).read_text()
        except UnicodeDecodeError:
            continue
        for found in findings(name, source, options.names):
            print(found)
            counted[package(name)] += 1
    for name, count in sorted(counted.items(), key=lambda item: (-item[1], item[0])):
        print(f"{count:6} {name}")
    print(f"{counted.total():6} in total")
    return 1 if counted else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
