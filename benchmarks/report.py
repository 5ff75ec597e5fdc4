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
    parts += [_memory(results), _requests(results["requests"])]
    return "\n\n".join(parts) + "\n"


def _machine(results: dict[str, Any]) -> str:
    return table(["machine", ""], [[name, value] for name, value in results["machine"].items()])


def _transfers(results: dict[str, Any]) -> str:
    """Rates are medians of the rounds; a ratio is the median of the rounds' own ratios."""
    size, seconds = results["size_mib"], results["transfers"]
    rows = []
    for name, target in TARGETS.items():
        limit, ours = seconds[f"{name}_limit"], seconds[name]
        ratio = median(theirs / own for theirs, own in zip(limit, ours, strict=True))
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
    rows = []
    for name, target in PACKS.items():
        rate = packs["files"] / median(packs["seconds"][name])
        processor = median(packs["seconds"][f"{name}_processor"])
        rows.append([name, f"{rate:,.0f}", f"{processor:.2f} s", f"≥ {target:,} {mark(rate >= target)}"])
    what = f"{packs['files']:,} × {packs['size'] // 1024} KiB in one pack"
    return table([what, "files per second", "the server's processor time", "to reach"], rows)


def _memory(results: dict[str, Any]) -> str:
    memory = results["memory"]
    grown = memory["peak"] - memory["before"]
    rate = 4 * memory["file_mib"] / memory["seconds"]
    ratio = rate / (results["size_mib"] / median(results["transfers"]["upload_limit"]))
    rows = [
        ["throughput, all four", f"{rate:,.0f} MiB/s", ""],
        ["of the limit of one stream", f"{ratio:.2f}", f"≥ {TOGETHER} {mark(ratio >= TOGETHER)}"],
        ["server memory before", f"{memory['before'] / MIB:,.0f} MiB", ""],
        ["at its peak", f"{memory['peak'] / MIB:,.0f} MiB", f"± 20 MB {mark(grown <= FLAT)}"],
        ["after", f"{memory['after'] / MIB:,.0f} MiB", ""],
    ]
    return table([f"4 × {memory['file_mib']} MiB up at once", "", "to reach"], rows)


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
