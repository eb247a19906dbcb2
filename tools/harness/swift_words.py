"""An index of the words of Swift sources, and of what they declare: see tools/dead-code."""

import collections
import os
import re

TOKEN = re.compile(
    r"[{}]|(?<![.\w`])(?P<kind>struct|class|enum|protocol|actor|extension|func|let|var|case|typealias|associatedtype|init|deinit"
    r"|subscript)\b[ \t]*(?P<name>`?[A-Za-z_]\w*`?)?")
TYPES = ("struct", "class", "enum", "actor", "protocol", "extension")
WORD = re.compile(r"[A-Za-z_]\w*")
ACCESS = re.compile(r"\b(private|fileprivate|internal|package|public|open)\b(?!\(set)")


def code_of(text):
    """The text without comments and without what stands in strings, but for interpolations; lines stay lines."""
    out, i, depth = [], 0, []
    while i < len(text):
        two, three = text[i : i + 2], text[i : i + 3]
        if two == "//":
            i = text.find("\n", i) if "\n" in text[i:] else len(text)
        elif two == "/*":
            end = text.find("*/", i) + 2
            out.append("\n" * text.count("\n", i, end))
            i = end
        elif text[i] == '"' or two == '#"':
            i = string(text, i, out)
        else:
            out.append(text[i])
            i += 1
    return "".join(out)


def string(text, start, out):
    """Passes a string literal, keeping the code of its interpolations; where it ends."""
    raw = 0
    while text[start + raw] == "#":
        raw += 1
    i = start + raw
    quote = '"""' if text[i : i + 3] == '"""' else '"'
    close, escape = quote + "#" * raw, "\\" + "#" * raw
    i += len(quote)
    out.append('""')
    while i < len(text):
        if text.startswith(close, i):
            return i + len(close)
        if text.startswith(escape + "(", i):
            i += len(escape) + 1
            begin, depth = i, 1
            while depth and i < len(text):
                if text[i] == '"':
                    i = string(text, i, [])
                    continue
                depth += {"(": 1, ")": -1}.get(text[i], 0)
                i += 1
            out.append(" " + code_of(text[begin : i - 1]).replace("\n", " ") + " ")
        elif text.startswith(escape, i):
            i += len(escape) + 1
        else:
            if text[i] == "\n":
                out.append("\n")
            i += 1
    return i


def names_of_cases(rest):
    """The names in `a, b(Int), c = 3`."""
    flat, depth = [], 0
    for character in rest:
        depth -= character in ")]>"
        if depth == 0:
            flat.append(character)
        depth += character in "([<"
    flat = "".join(flat)
    parts = [re.fullmatch(r"\s*`?([A-Za-z_]\w*)`?\s*(?:[()<>\[\]]*)\s*(?:=.*)?", part) for part in flat.split(",") if part.strip()]
    return [part[1] for part in parts] if all(parts) else []


class Declaration:
    def __init__(self, name, file, line, access, is_requirement=False):
        self.name, self.file, self.line, self.is_requirement = name, file, line, is_requirement
        self.module = file.split("/")[1]
        wide = {"private": file, "fileprivate": file, "package": "Sources", "public": "Sources", "open": "Sources"}
        self.scope = wide.get(access, self.module)


def declarations_of(code, file):
    """What a file declares, but for local variables and parameters: these the compiler watches."""
    found, blocks, pending = [], [("file", None)], None
    for match in TOKEN.finditer(code):
        if match[0] == "{":
            blocks.append(pending or ("body", None))
            pending = None
            continue
        if match[0] == "}":
            blocks.pop()
            pending = None
            continue
        outer, outer_access = blocks[-1]
        kind, name = match["kind"], (match["name"] or "").strip("`")
        if outer == "body" and kind not in TYPES + ("func",):
            continue
        start = code.rfind("\n", 0, match.start()) + 1
        line = code.count("\n", 0, match.start()) + 1
        access = ACCESS.search(code[start : match.start()])
        access = access and access[1]
        if access is None and (outer in ("protocol", "extension") or kind == "case"):
            access = outer_access  # these inherit it
        if kind == "case" and outer == "enum":
            end = code.find("\n", match.end())
            rest = code[match.start() + 4 : end if end >= 0 else len(code)].split("}")[0]
            found += [Declaration(each, file, line, access) for each in names_of_cases(rest)]
        elif kind == "class" and name in ("func", "var", "let"):
            continue
        elif kind in TYPES:
            pending = (kind, access if kind != "extension" or access else None)
            if kind != "extension":
                found.append(Declaration(name, file, line, access))
        elif kind in ("func", "init", "deinit", "subscript"):
            pending = ("body", None)
            if kind == "func" and name:
                found.append(Declaration(name, file, line, access, outer == "protocol"))
        elif kind in ("let", "var", "typealias", "associatedtype") and name and name != "_":
            pending = ("body", None)
            found.append(Declaration(name, file, line, access, outer == "protocol"))
    return found


def index(root, folder):
    """The declarations of a folder of `root`, and how often each word stands in each of its files."""
    declarations, words = [], {}
    for path, _, files in sorted(os.walk(os.path.join(root, folder))):
        for name in sorted(files):
            if not name.endswith(".swift"):
                continue
            file = os.path.relpath(os.path.join(path, name), root)
            with open(os.path.join(root, file), encoding="utf-8") as source:
                code = code_of(source.read())
            words[file] = collections.Counter(WORD.findall(code))
            declarations += declarations_of(code, file)
    return declarations, words


def dead(root):
    """The declarations in Sources that nothing uses."""
    declarations, words = index(root, "Sources")
    # What fulfils a protocol is called by whoever knows the protocol, in whatever module.
    requirements = {declaration.name for declaration in declarations if declaration.is_requirement}
    for declaration in declarations:
        if declaration.name in requirements:
            declaration.scope = "Sources"
    in_scope = collections.defaultdict(collections.Counter)
    for file, counts in words.items():
        for scope in (file, file.split("/")[1], "Sources"):
            in_scope[scope].update(counts)
    declared = collections.defaultdict(collections.Counter)
    for declaration in declarations:
        for scope in (declaration.file, declaration.module, "Sources"):
            declared[scope][declaration.name] += 1
    return [d for d in declarations if in_scope[d.scope][d.name] <= declared[d.scope][d.name]]
