// Draws every <figure class="chart"> from the JSON in its <script type="application/json">:
//   {kind: "lines", x: "step", y: "loss", prefix?: "v", series: [{name, points: [[x, y], …], addresses?: [url, …]}], address?: "/…/{x}/"}
//     `prefix` stands before every x; the page of a point is its own of `addresses`, else `address` with its x
//     with `source`, the points of the one series come from there, an address of the API: {points: [{version, value}, …]}
//   {kind: "parallel", axes: [{name, values: [number | text | null, …]}], names: [line names], addresses?: [url, …]}  the last axis colours the lines
// A click on a point or line opens its page; with the pointer over lines, Ctrl and the wheel zoom, and a button takes the zoom back.
// What the chart shows also stands on the page as a table, with the same links: for the keyboard, and for those who see no chart.
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

function short(text, most = 18) {
  return text.length > most ? `${text.slice(0, most - 1)}…` : text;
}

// Tooltips are drawn on the canvas: HTML with styles in it is refused by the page's policy.
function tooltip(style) {
  return { renderMode: "richText", confine: true, backgroundColor: style.paper, borderColor: style.line, textStyle: { color: style.ink } };
}

function lines(data, style) {
  const whole = data.series.every((one) => one.points.every(([x]) => Number.isInteger(x)));
  const many = data.series.some((one) => one.points.length > 60), x = (value) => (data.prefix ?? "") + shown(value);
  const said = (points) => [`${data.prefix ? "" : `${data.x} `}${x(points[0].value[0])}`, ...points.map((one) => `${short(one.seriesName, 40)}: ${shown(one.value[1])}`)].join("\n");
  return {
    color: style.series,
    grid: { left: 12, right: 24, top: data.series.length > 1 ? 40 : 20, bottom: 12, outerBoundsMode: "same" },
    legend: { show: data.series.length > 1, type: "scroll", top: 0, textStyle: { color: style.ink }, pageTextStyle: { color: style.soft }, formatter: (name) => short(name, 40) },
    tooltip: { ...tooltip(style), trigger: "axis", formatter: said, axisPointer: { lineStyle: { color: style.soft }, label: { show: false } } },
    xAxis: { type: "value", name: data.prefix ? "" : data.x, nameLocation: "middle", nameGap: 26, nameTextStyle: { color: style.soft }, min: "dataMin", max: "dataMax", minInterval: whole ? 1 : 0, splitLine: { show: false }, axisLine: { lineStyle: { color: style.line } }, axisLabel: { color: style.soft, formatter: x, hideOverlap: true, showMinLabel: true, showMaxLabel: true } },
    yAxis: { type: "value", name: data.series.length > 1 ? data.y : "", nameTextStyle: { color: style.soft, align: "left" }, scale: true, splitLine: { lineStyle: { color: style.line } }, axisLabel: { color: style.soft, formatter: shown } },
    dataZoom: [{ type: "inside", filterMode: "none", zoomOnMouseWheel: "ctrl", moveOnMouseMove: true, preventDefaultMouseMove: false }],
    series: data.series.map((one) => ({
      name: one.name, type: "line", data: one.points, symbol: "circle", symbolSize: 6, showSymbol: !many, lineStyle: { width: many ? 1.25 : 2 }, emphasis: { focus: "series" }, connectNulls: false,
    })),
  };
}

function parallel(data, style) {
  const said = (axis, row) => (axis.values.some((one) => typeof one === "string") ? shown(axis.values[row]) : axis.values[row]);
  const dimension = (axis, n) => {
    const texts = axis.values.some((value) => typeof value === "string");
    const base = { dim: n, name: short(axis.name), nameTextStyle: { color: style.ink }, z: 10, axisLabel: { color: style.ink, textBorderColor: style.paper, textBorderWidth: 3, formatter: (value) => short(shown(value), 14) }, axisLine: { lineStyle: { color: style.soft } }, axisTick: { lineStyle: { color: style.soft } } };
    return texts ? { ...base, type: "category", boundaryGap: true, data: [...new Set(axis.values.map(shown))] } : { ...base, type: "value", scale: true };
  };
  const last = data.axes.length - 1, numbers = data.axes[last].values.filter((value) => typeof value === "number");
  const about = (one) => [one.name, ...data.axes.map((axis) => `${short(axis.name, 40)}: ${shown(axis.values[one.dataIndex])}`)].join("\n");
  return {
    parallel: { left: 40, right: 60, top: 40, bottom: 30, parallelAxisDefault: { nameLocation: "end" } },
    parallelAxis: data.axes.map(dimension),
    tooltip: { ...tooltip(style), formatter: about },
    visualMap: { show: false, dimension: last, min: Math.min(...numbers), max: Math.max(...numbers), inRange: { color: [style.cold, style.accent, style.warm] } },
    series: [{
      type: "parallel", lineStyle: { width: data.names.length > 60 ? 1.25 : 2, opacity: 0.75 }, inactiveOpacity: 0.08, emphasis: { lineStyle: { width: 4, opacity: 1 } },
      data: data.names.map((name, row) => ({ name, value: data.axes.map((axis) => said(axis, row)) })),
    }],
  };
}

const KINDS = { lines, parallel };
const AXIS = 110; // px that an axis and its words need: a narrow window slides over the chart

// The point that a reader means who clicks at a place of the chart: of the nearest x the one with the nearest y.
function nearest(data, chart, at) {
  if (!chart.containPixel({ gridIndex: 0 }, at)) return null;
  let best = null;
  data.series.forEach((one, series) => one.points.forEach((point, index) => {
    const [x, y] = chart.convertToPixel({ seriesIndex: series }, point);
    const distance = Math.abs(x - at[0]) * 10 + Math.abs(y - at[1]);
    if (Number.isFinite(distance) && (!best || distance < best.distance)) best = { distance, one, index, x: point[0] };
  }));
  return best;
}

function addressAt(data, chart, at) {
  const found = nearest(data, chart, at);
  return found && (found.one.addresses?.[found.index] ?? data.address?.replace("{x}", found.x));
}

function openPages(data, chart) {
  if (data.kind === "parallel") {
    chart.on("click", (event) => { const address = data.addresses?.[event.dataIndex]; if (address) location.assign(address); });
    return;
  }
  if (!data.address && !data.series.some((one) => one.addresses)) return;
  const canvas = chart.getZr();
  canvas.on("click", (event) => { const address = addressAt(data, chart, [event.offsetX, event.offsetY]); if (address) location.assign(address); });
  canvas.on("mousemove", (event) => canvas.setCursorStyle(chart.containPixel({ gridIndex: 0 }, [event.offsetX, event.offsetY]) ? "pointer" : "default"));
}

function addZoomReset(figure, chart) {
  const button = document.createElement("button");
  Object.assign(button, { type: "button", className: "secondary small reset", textContent: "Show all", hidden: true });
  figure.querySelector(".canvas").after(button);
  chart.on("datazoom", () => {
    const zoom = chart.getOption().dataZoom?.[0];
    button.hidden = !zoom || (zoom.start === 0 && zoom.end === 100);
  });
  button.addEventListener("click", () => chart.dispatchAction({ type: "dataZoom", start: 0, end: 100 }));
}

// The chart would keep every touch for picking ranges: fingers slide it and the page instead, and a tap still opens a page.
function makeRoom(canvas, axes) {
  canvas.style.minWidth = `${axes * AXIS}px`;
  for (const kind of ["touchstart", "touchmove", "touchend"]) canvas.addEventListener(kind, (event) => event.stopPropagation(), { capture: true, passive: true });
}

async function fetched(data) {
  const answer = await fetch(data.source, { credentials: "same-origin", headers: { Accept: "application/json" } });
  if (!answer.ok) throw new Error(String(answer.status));
  const { points } = await answer.json();
  return { ...data, series: [{ ...data.series[0], points: points.map((one) => [one.version, one.value]) }] };
}

async function bring(figure, data, canvas) {
  canvas.setAttribute("aria-busy", "true");
  try {
    draw(figure, await fetched(data), canvas);
  } catch {
    canvas.textContent = "The points of this chart did not come. Load the page again to see them.";
  }
  canvas.removeAttribute("aria-busy");
}

function start(figure) {
  const data = JSON.parse(figure.querySelector("script[type='application/json']").textContent);
  const canvas = figure.querySelector(".canvas");
  if (data.source) bring(figure, data, canvas);
  else draw(figure, data, canvas);
}

function draw(figure, data, canvas) {
  if (data.kind === "parallel") makeRoom(canvas, data.axes.length);
  const chart = echarts.init(canvas, null, { renderer: "canvas" });
  const paint = () => {
    const style = look();
    chart.setOption({ textStyle: style.text, animation: false, aria: { enabled: true }, ...KINDS[data.kind](data, style) }, true);
  };
  paint();
  canvas.setAttribute("role", "img");
  new ResizeObserver(() => chart.resize()).observe(figure);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", paint);
  if (data.kind === "lines") addZoomReset(figure, chart);
  openPages(data, chart);
}

for (const figure of document.querySelectorAll("figure.chart")) start(figure);
