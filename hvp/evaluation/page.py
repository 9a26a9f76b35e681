"""The page that shows an evaluation; plain HTML that opens from disk."""

from __future__ import annotations

import html
import json
from collections.abc import Iterable, Mapping
from typing import Any

from hvp.drawing.page import simple_page
from hvp.metrics.registry import METRICS

_ARROWS = {True: "higher is better", False: "lower is better"}


def report_page(report: Mapping[str, Any], examples: Iterable[Mapping[str, str]]) -> str:
    """The page's HTML.

    Args:
        report: the content of metrics.json.
        examples: one mapping an example: its `name` and file names by figure.
    """
    protocol = report["protocol"]
    experiment = str(protocol.get("experiment", "model"))
    return simple_page(
        f"{experiment}: open-loop evaluation",
        f"""<p class="soft">{_headline(protocol)}</p>
<h2>Results</h2>
<div class="wide">{_results(report)}</div>
<p class="soft">{_reading(protocol)}</p>
{_video_distance(report.get("fvd"))}
<h2>Over the horizon</h2>
<div class="figure"><img src="curves.png" alt="Curves of every metric over predicted frames"></div>
<p class="soft">Shaded: 95 % confidence interval over contexts. Numbers per frame:
<a href="metrics.csv">metrics.csv</a>; per example: <a href="examples.csv">examples.csv</a>;
all with the protocol: <a href="metrics.json">metrics.json</a>.</p>
<h2>By frequency</h2>
<div class="figure"><img src="spectra.png" alt="Energy by spatial and temporal frequency"></div>
<p class="soft">Energy of the truth, of each context's first sample, and of its error. A prediction
below the truth at high spatial frequencies is blurred; below it at high temporal ones it moves too
little. Where the error reaches the truth's energy, nothing of the truth is predicted.</p>
{_gallery(list(examples), protocol)}
<h2>Protocol</h2>
<p>{html.escape(protocol["description"])}</p>
<div class="wide">{_conventions(protocol)}</div>
<h3>Settings</h3>
<div class="wide">{_settings(protocol)}</div>
""",
    )


def _headline(protocol: Mapping[str, Any]) -> str:
    samples = protocol["num_samples"]
    parts = [
        f"{protocol['num_contexts']} contexts of {protocol['context']} frames, "
        f"{protocol['horizon']} predicted, {samples} sample{'s' if samples != 1 else ''} each",
        f"{protocol['height']}×{protocol['width']}×{protocol['channels']}",
        f"protocol {protocol['name']}",
        str(protocol["date"])[:16].replace("T", " "),
    ]
    return " · ".join(html.escape(part) for part in parts)


def _results(report: Mapping[str, Any]) -> str:
    samples = report["protocol"]["num_samples"]
    kinds = {"mean_over_samples": f"Mean over {samples}", "copy_last_frame": "Copy last frame"}
    if samples == 1:
        kinds["mean_over_samples"] = "Model"
    else:
        kinds = {"best_of_n": f"Best of {samples}", **kinds}
    head = "".join(f'<th class="number">{html.escape(kind)}</th>' for kind in kinds.values())
    rows = [f"<tr><th>Metric</th>{head}</tr>"]
    for name, row in report["summary"].items():
        metric = METRICS[name]
        sign = 1 if metric.higher_is_better else -1
        best = max(sign * row[kind]["mean"] for kind in kinds)
        cells = "".join(
            f'<td class="number{" better" if sign * row[kind]["mean"] == best else ""}">'
            f"{_with_interval(row[kind], metric.decimals)}</td>"
            for kind in kinds
        )
        rows.append(
            f'<tr><td>{html.escape(metric.label)} <span class="soft">'
            f"{_ARROWS[metric.higher_is_better]}</span></td>{cells}</tr>"
        )
    return f"<table>{''.join(rows)}</table>"


def _with_interval(entry: Mapping[str, float | None], decimals: int) -> str:
    mean = f"{entry['mean']:.{decimals}f}"
    if entry["ci95"] is None:
        return mean
    return f"{mean} ± {entry['ci95']:.{decimals}f}"


def _reading(protocol: Mapping[str, Any]) -> str:
    words = "Means over the horizon and all contexts"
    if protocol["num_contexts"] > 1:
        words += (
            f", ± the half width of the confidence interval ({protocol['confidence_intervals']})"
        )
    else:
        words += "; a single context has no confidence interval"
    if protocol["num_samples"] > 1:
        words += f". Best of N: {protocol['best_of_n'].partition(': ')[2]}"
    return html.escape(words + ". Bold: the best of the row.")


def _video_distance(fvd: Mapping[str, Any] | None) -> str:
    if fvd is None:
        return ""
    where, frames = fvd["context"]
    shown = "with" if where == "in" else "without"
    return f"""<h3>Fréchet video distance</h3>
<p><code>{html.escape(fvd["metric"])}</code> <b>{fvd["value"]:.2f}</b></p>
<p class="soft">Of {fvd["num_real"]} videos of {fvd["num_frames"]} frames, {shown} the {frames} of
context; lower is better. It grows as videos get fewer: compare equal numbers of videos, frames and
context only, of the same size, by the same weights
(SHA-256 {fvd["weights"]["values_sha256"][:16]}…). The first sample of each context.</p>"""


def _gallery(examples: list[Mapping[str, str]], protocol: Mapping[str, Any]) -> str:
    if not examples:
        return ""
    parts = [
        "<h2>Examples</h2>",
        '<p class="soft">The first contexts of the data set and their first samples, not chosen. '
        '<span class="real">Blue</span>: real frames, context or truth. '
        '<span class="predicted">Orange</span>: predicted frames.</p>',
    ]
    for example in examples:
        name = html.escape(example["name"])
        parts.append(f"<h3>{name}</h3>")
        parts.append(_figure(example["grid"], f"Truth and samples of {name} at several steps"))
        moving = [_figure(example["comparison"], f"Truth beside samples of {name}")]
        if "uncertainty" in example:
            moving.append(_figure(example["uncertainty"], f"Spread over samples of {name}"))
        parts.append(f'<div class="pair">{"".join(moving)}</div>')
    if protocol["num_samples"] > 1:
        parts.append(
            '<p class="soft">Std. dev.: per pixel over all samples, on the grey scale 0 to 1, '
            "averaged over channels; the colour scale ends at the clip's largest value.</p>"
        )
    else:
        parts.append(
            '<p class="soft">The spread over samples needs at least two: '
            "<code>--num-samples 5</code>.</p>"
        )
    return "\n".join(parts)


def _figure(file: str, description: str) -> str:
    return f'<div class="figure"><img src="{html.escape(file)}" alt="{description}"></div>'


def _conventions(protocol: Mapping[str, Any]) -> str:
    rows = "".join(
        f"<tr><td>{html.escape(METRICS[metric].label)}</td>"
        f"<td><code>{html.escape(convention['name'])}</code></td>"
        f"<td>{html.escape(convention['definition'])}</td></tr>"
        for metric, convention in protocol["conventions"].items()
    )
    return f"<table><tr><th>Metric</th><th>Convention</th><th>Definition</th></tr>{rows}</table>"


def _settings(protocol: Mapping[str, Any]) -> str:
    skipped = ("description", "conventions")
    rows = "".join(
        f"<tr><td>{html.escape(key.replace('_', ' '))}</td><td>{_value(value)}</td></tr>"
        for key, value in protocol.items()
        if key not in skipped
    )
    return f"<table>{rows}</table>"


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        if not value:
            return "none"
        return "<br>".join(
            f"{html.escape(str(key))} <code>{html.escape(str(item))}</code>"
            for key, item in value.items()
        )
    text = value if isinstance(value, str) else json.dumps(value)
    return html.escape(text)
