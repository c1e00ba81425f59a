// Draws the curves of #curves into the figures, in the colours of the style sheet.
"use strict";
(() => {
  const { steps, charts } = JSON.parse(document.getElementById("curves").textContent);
  const root = document.documentElement;
  const colour = (name) => getComputedStyle(root).getPropertyValue(name).trim();
  const height = 190;
  let drawn = [];

  const shown = (chart, value) => {
    if (value == null) return "none";
    if (chart.share) return value.toFixed(1) + " %";
    return Math.abs(value) >= 1e4 ? Math.round(value).toLocaleString("en") : String(+value.toPrecision(4));
  };

  const lastKnown = (values) => values.reduce((last, value) => value ?? last, null);

  function options(chart, width) {
    const axis = {
      stroke: colour("--muted"),
      grid: { stroke: colour("--rule"), width: 1 },
      ticks: { show: false },
      font: "11px system-ui, sans-serif",
      labelFont: "11px system-ui, sans-serif",
      labelSize: 18,
    };
    const ink = [colour("--first"), colour("--second")];
    return {
      width,
      height,
      padding: [8, 8, 0, 0],
      focus: { alpha: 0.25 },
      cursor: { sync: { key: "steps" }, focus: { prox: 24 }, drag: { x: false, y: false }, y: false },
      legend: { markers: { width: 2, dash: (_, index) => (index > 1 ? "dashed" : "solid") } },
      scales: {
        x: { time: false },
        y: { range: chart.share ? [0, 100] : (_, low, high) => uPlot.rangeNum(Math.min(0, low), high, 0.1, true) },
      },
      axes: [
        { ...axis, label: "step", size: 24, space: 36, grid: { show: false }, incrs: [1, 2, 5, 10, 20, 25, 50, 100, 200, 500, 1000, 2000, 5000, 1e4, 1e5] },
        { ...axis, label: chart.unit, size: 38 },
      ],
      series: [
        { label: "step", value: (_, step) => String(step ?? steps.at(-1)) },
        ...chart.lines.map((line, index) => ({
          label: line.label,
          stroke: ink[index],
          width: 1.75,
          dash: index ? [5, 4] : undefined,
          points: { size: 5 },
          value: (_, value, __, at) => shown(chart, at == null ? lastKnown(line.values) : value),
        })),
      ],
    };
  }

  function draw(fixedWidth) {
    for (const plot of drawn) plot.destroy();
    drawn = [...document.querySelectorAll("figure[data-chart]")].map((figure) => {
      const chart = charts[figure.dataset.chart];
      const place = figure.querySelector(".canvas");
      const width = fixedWidth ?? Math.floor(place.clientWidth);
      return new uPlot(options(chart, width), [steps, ...chart.lines.map((line) => line.values)], place);
    });
  }

  const fit = () => drawn.forEach((plot) => {
    const width = Math.floor(plot.root.parentElement.clientWidth);
    if (width > 0 && width !== plot.width) plot.setSize({ width, height });
  });

  draw();
  addEventListener("resize", fit);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => draw());
  addEventListener("beforeprint", () => { root.dataset.print = ""; draw(300); });
  addEventListener("afterprint", () => { delete root.dataset.print; draw(); });
})();
