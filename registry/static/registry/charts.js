// Draws every <figure class="chart"> from the JSON in its <script type="application/json">:
//   {kind: "lines", x: "step", y: "loss", series: [{name, points: [[x, y], …], addresses?: [url, …]}]}
//   {kind: "parallel", axes: [{name, values: [number | text | null, …]}], names: [line names], addresses?: [url, …]}  the last axis colours the lines
// What the chart shows also stands on the page as a table.
"use strict";

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function look() {
  const ink = colour("--pico-color"), soft = colour("--pico-muted-color"), line = colour("--pico-muted-border-color");
  return {
    ink, soft, line, paper: colour("--pico-card-background-color"), accent: colour("--series-1"), cold: colour("--series-5"), warm: colour("--series-2"),
    series: [1, 2, 3, 4, 5, 6, 7, 8].map((n) => colour(`--series-${n}`)),
    text: { fontFamily: getComputedStyle(document.body).fontFamily, color: soft },
  };
}

function shown(value) {
  return typeof value === "number" ? String(Number(value.toPrecision(6))) : value ?? "–";
}

// Tooltips are drawn on the canvas: HTML with styles in it is refused by the page's policy.
function tooltip(style) {
  return { renderMode: "richText", confine: true, backgroundColor: style.paper, borderColor: style.line, textStyle: { color: style.ink } };
}

function lines(data, style) {
  const whole = data.series.every((one) => one.points.every(([x]) => Number.isInteger(x)));
  return {
    color: style.series,
    grid: { left: 12, right: 20, top: data.series.length > 1 ? 40 : 20, bottom: 30, outerBoundsMode: "same" },
    legend: { show: data.series.length > 1, type: "scroll", top: 0, textStyle: { color: style.ink }, pageTextStyle: { color: style.soft } },
    tooltip: { ...tooltip(style), trigger: "axis", valueFormatter: shown },
    xAxis: { type: "value", name: data.x, nameLocation: "middle", nameGap: 26, min: "dataMin", max: "dataMax", minInterval: whole ? 1 : 0, splitLine: { show: false }, axisLine: { lineStyle: { color: style.line } }, axisLabel: { color: style.soft } },
    yAxis: { type: "value", name: data.y, scale: true, splitLine: { lineStyle: { color: style.line } }, axisLabel: { color: style.soft, formatter: shown } },
    dataZoom: [{ type: "inside", filterMode: "none", zoomOnMouseWheel: "ctrl" }],
    series: data.series.map((one) => ({
      name: one.name, type: "line", data: one.points, symbolSize: 6, showSymbol: one.points.length <= 60, emphasis: { focus: "series" }, connectNulls: false,
    })),
  };
}

function parallel(data, style) {
  const dimension = (axis, n) => {
    const texts = axis.values.filter((value) => typeof value === "string");
    const base = { dim: n, name: axis.name, nameTextStyle: { color: style.ink }, axisLabel: { color: style.soft }, axisLine: { lineStyle: { color: style.soft } } };
    return texts.length ? { ...base, type: "category", data: [...new Set(axis.values.map(shown))] } : { ...base, type: "value", scale: true };
  };
  const last = data.axes.length - 1, numbers = data.axes[last].values.filter((value) => typeof value === "number");
  const value = (axis, row) => (axis.values.some((one) => typeof one === "string") ? shown(axis.values[row]) : axis.values[row]);
  return {
    parallel: { left: 40, right: 90, top: 40, bottom: 30, parallelAxisDefault: { nameLocation: "end" } },
    parallelAxis: data.axes.map(dimension),
    tooltip: { ...tooltip(style), formatter: (one) => one.name },
    visualMap: { show: false, dimension: last, min: Math.min(...numbers), max: Math.max(...numbers), inRange: { color: [style.cold, style.accent, style.warm] } },
    series: [{
      type: "parallel", lineStyle: { width: 2, opacity: 0.75 }, emphasis: { lineStyle: { width: 4, opacity: 1 } },
      data: data.names.map((name, row) => ({ name, value: data.axes.map((axis) => value(axis, row)) })),
    }],
  };
}

const KINDS = { lines, parallel };

function draw(figure) {
  const data = JSON.parse(figure.querySelector("script[type='application/json']").textContent);
  const chart = echarts.init(figure.querySelector(".canvas"), null, { renderer: "canvas" });
  const paint = () => {
    const style = look();
    chart.setOption({ textStyle: style.text, animation: false, aria: { enabled: true }, ...KINDS[data.kind](data, style) }, true);
  };
  paint();
  new ResizeObserver(() => chart.resize()).observe(figure);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", paint);
  chart.on("click", (event) => {
    const of = data.kind === "lines" ? data.series[event.seriesIndex] : data;
    const address = of?.addresses?.[event.dataIndex];
    if (address) location.assign(address);
  });
}

for (const figure of document.querySelectorAll("figure.chart")) draw(figure);
