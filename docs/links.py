"""Links from the pages into the code: found, checked, and turned into pages of the site.

A page links to `../src/seqwise/models/attention.py#attention`: file, then the name of a function, class, method
(`Class.method`) or constant, rather than a line, which would move. Where the sources are read as files (an
editor, a code host) the path leads to the file; in the site, which mkdocs builds with this hook, each linked
file has a page of its own and the link leads to the very line.
"""

import ast
import os
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CODE = re.compile(r"\]\((?P<path>(?:\.\./)+[\w./-]+\.(?:py|yaml|toml))(?:#(?P<name>[\w.]+))?\)")
"""A link that leaves docs/ for a file of code."""


def line_of(source: str, name: str) -> int | None:
    """The line on which a name of a module is defined; a dot leads into a class. None where it is not."""
    body: list[ast.stmt] = ast.parse(source).body
    line = None
    for part in name.split("."):
        node = next((node for node in body if part in _names(node)), None)
        if node is None:
            return None
        line, body = node.lineno, getattr(node, "body", [])
    return line


def _names(node: ast.stmt) -> list[str]:
    """What a statement defines."""
    match node:
        case ast.FunctionDef() | ast.ClassDef() | ast.AsyncFunctionDef():
            return [node.name]
        case ast.Assign():
            return [target.id for target in node.targets if isinstance(target, ast.Name)]
        case ast.AnnAssign(target=ast.Name(id=name)):
            return [name]
    return []


# What mkdocs calls: it loads this file as a hook. Named as mkdocs names them.


def on_files(files, config):
    """Add a page for every file of code that a page links to."""
    from mkdocs.structure.files import File

    linked = set()
    for page in files.documentation_pages():
        folder = (Path(config.docs_dir) / page.src_uri).parent
        linked |= {(folder / link["path"]).resolve() for link in CODE.finditer(page.content_string)}
    for path in sorted(path for path in linked if path.is_file()):
        files.append(File.generated(config, _place(path), content=_page(path)))
    return files


def on_page_markdown(markdown, page, config, files):
    """Lead links into the code to those pages, and to the line."""
    folder = (Path(config.docs_dir) / page.file.src_uri).parent

    def lead(link):
        path = (folder / link["path"]).resolve()
        if not path.is_file():
            return link[0]  # mkdocs will say so
        line = line_of(path.read_text(encoding="utf-8"), link["name"]) if link["name"] else None
        target = os.path.relpath(Path(config.docs_dir) / _place(path), folder)
        return f"]({Path(target).as_posix()}{f'#__codelineno-0-{line}' if line else ''})"

    return CODE.sub(lead, markdown)


def _place(path):
    """Where a file of code lies in the site."""
    return f"code/{path.relative_to(ROOT).as_posix()}.md"


def _page(path):
    """The file as a page: out of the search, with an anchor at each line."""
    text = path.read_text(encoding="utf-8")
    head = f"---\nsearch:\n  exclude: true\n---\n\n# {path.relative_to(ROOT).as_posix()}\n\n"
    return f'{head}~~~~~~ {{ .{path.suffix[1:]} linenums="1" }}\n{text}~~~~~~\n'
