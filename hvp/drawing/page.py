"""The frame and style of every HTML page; plain HTML that opens from disk."""

from __future__ import annotations

import html

STYLE = """
:root { color-scheme: light dark; --ink: #1f2328; --soft: #59636e; --line: #d1d9e0;
  --paper: #ffffff; --band: #f6f8fa; --real: #2563eb; --predicted: #d97706; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e8eb; --soft: #9aa4af; --line: #3a424b;
  --paper: #16191d; --band: #1f242a; --real: #6b9bff; --predicted: #f0a03c; } }
body { margin: 0 auto; max-width: 66rem; padding: 2rem 1.25rem 4rem; background: var(--paper);
  color: var(--ink); font: 16px/1.55 system-ui, sans-serif; }
h1 { font-size: 1.6rem; margin: 0 0 .25rem; } h2 { font-size: 1.2rem; margin: 2.5rem 0 .75rem; }
h3 { font-size: 1rem; margin: 1.75rem 0 .5rem; overflow-wrap: anywhere; }
p { max-width: 46rem; margin: .5rem 0; } .soft { color: var(--soft); }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .45rem .9rem .45rem 0; border-bottom: 1px solid var(--line); text-align: left;
  vertical-align: top; }
th { font-weight: 600; } td.number { text-align: right; white-space: nowrap; }
th.number { text-align: right; } td code { overflow-wrap: anywhere; }
.better { font-weight: 700; }
img { max-width: 100%; height: auto; border-radius: 4px; background: #fff; }
.figure { background: #fff; padding: .5rem; border: 1px solid var(--line); border-radius: 6px;
  margin: .5rem 0; width: fit-content; max-width: 100%; box-sizing: border-box; }
.pair { display: flex; flex-wrap: wrap; gap: 1rem; align-items: flex-start; }
.real { color: var(--real); font-weight: 600; } .predicted { color: var(--predicted);
  font-weight: 600; }
code { font-size: .9em; }
"""


def simple_page(title: str, body: str) -> str:
    """A page with a heading and a body of HTML, in the reports' style."""
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{html.escape(title)}</title>
<style>{STYLE}</style>
</head>
<body>
<h1>{html.escape(title)}</h1>
{body}
</body>
</html>
"""
