"""The figures as text: Markdown tables that go into docs/performance.md as they are."""

from __future__ import annotations

from statistics import median
from typing import Any

MIB = 2**20
TARGETS = {"upload": 0.9, "download": 0.9}
TOGETHER = 1.2  # of the rate of one thread
PACKS = {"up": 3000, "down": 4000}
FLAT = 20 * 10**6
NO_STALLS = 0.01


def text(results: dict[str, Any]) -> str:
    parts = [_machine(results), _transfers(results), _packs(results["packs"])]
    parts += [_memory(results["memory"]), _requests(results["requests"])]
    return "\n\n".join(parts) + "\n"


def _machine(results: dict[str, Any]) -> str:
    return table(["machine", ""], [[name, value] for name, value in results["machine"].items()])


def _transfers(results: dict[str, Any]) -> str:
    """Rates are medians of the rounds; a ratio is the median of the rounds' own ratios."""
    size, seconds = results["size_mib"], results["transfers"]
    rows = []
    for name, target in TARGETS.items():
        limit, ours = seconds[f"{name}_limit"], seconds[name]
        ratio = _ratio(limit, ours)
        rows.append(
            [
                f"{name}, {size} MiB",
                f"{size / median(limit):,.0f} MiB/s",
                f"{size / median(ours):,.0f} MiB/s",
                f"{ratio:.2f}",
                f"≥ {target} {mark(ratio >= target)}",
            ]
        )
    return table(["one stream", "limit", "LMVP", "ratio", "to reach"], rows)


def _packs(packs: dict[str, Any]) -> str:
    rows, seconds = [], packs["seconds"]
    for name, target in PACKS.items():
        rate, limit = packs["files"] / median(seconds[name]), seconds.get(f"{name}_limit")
        rows.append(
            [
                name,
                f"{packs['files'] / median(limit):,.0f}" if limit else "–",
                f"{rate:,.0f}",
                f"{_ratio(limit, seconds[name]):.2f}" if limit else "–",
                f"{median(seconds[f'{name}_processor']):.2f} s",
                f"≥ {target:,} {mark(rate >= target)}",
            ]
        )
    what = f"{packs['files']:,} × {packs['size'] // 1024} KiB in one pack"
    heads = [what, "limit, files per second", "LMVP", "ratio", "the server's processor time", "to reach"]
    return table(heads, rows)


def _memory(memory: dict[str, Any]) -> str:
    seconds, memories = memory["seconds"], memory["memory"]
    size = 4 * memory["file_mib"]
    grown = max(one["peak"] - one["before"] for one in memories)
    ratio = _ratio(seconds["one_limit"], seconds["four"])
    rows = [
        ["limit: one stream of as many bytes", f"{size / median(seconds['one_limit']):,.0f} MiB/s", ""],
        [
            "limit: four streams, each with a thread of its own",
            f"{size / median(seconds['four_limit']):,.0f} MiB/s",
            "",
        ],
        ["LMVP, all four", f"{size / median(seconds['four']):,.0f} MiB/s", ""],
        ["of the limit of one stream", f"{ratio:.2f}", f"≥ {TOGETHER} {mark(ratio >= TOGETHER)}"],
        ["of the limit of four streams", f"{_ratio(seconds['four_limit'], seconds['four']):.2f}", ""],
        ["server memory before", f"{median(one['before'] for one in memories) / MIB:,.0f} MiB", ""],
        ["at its peak", f"{median(one['peak'] for one in memories) / MIB:,.0f} MiB", f"± 20 MB {mark(grown <= FLAT)}"],
        ["after", f"{median(one['after'] for one in memories) / MIB:,.0f} MiB", ""],
    ]
    return table([f"4 × {memory['file_mib']} MiB up at once", "", "to reach"], rows)


def _ratio(limit: list[float], ours: list[float]) -> float:
    """The median of the rounds' own ratios."""
    return median(theirs / own for theirs, own in zip(limit, ours, strict=True))


def _requests(requests: dict[str, Any]) -> str:
    rows = []
    for name, summary in requests.items():
        operation = name.rpartition(",")[0]
        rows.append(
            [
                operation,
                str(summary["clients"]),
                f"{summary['per_second']:,.0f}",
                f"{summary['p50_ms']:.1f} ms",
                f"{summary['p95_ms']:.1f} ms",
                _stalls(summary),
            ]
        )
    return table(["small requests", "clients", "per second", "p50", "p95", "in 38–50 ms"], rows)


def _stalls(summary: dict[str, float]) -> str:
    """Say what share waited for an acknowledgement; nothing where so many milliseconds are ordinary work or a queue."""
    if summary["clients"] > 1 or summary["p50_ms"] > 25:
        return "–"
    share = summary["share_38_to_50_ms"]
    return f"{share:.1%} {mark(share <= NO_STALLS)}"


def mark(reached: bool) -> str:
    return "✓" if reached else "✗"


def table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
