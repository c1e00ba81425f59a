// Draws the curves of #curves and #attempts into the figures, in the colours of the style sheet.
"use strict";
(() => {
  const read = (id) => JSON.parse(document.getElementById(id).textContent);
  const { steps, charts } = read("curves");
  const attempts = read("attempts");
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

  const axis = () => ({
    stroke: colour("--muted"),
    grid: { stroke: colour("--rule"), width: 1 },
    ticks: { show: false },
    font: "11px system-ui, sans-serif",
    labelFont: "11px system-ui, sans-serif",
    labelSize: 18,
  });

  const common = (width) => ({
    width,
    height,
    padding: [8, 8, 0, 0],
    focus: { alpha: 0.25 },
    legend: { markers: { width: 2, dash: (_, index) => (index > 1 ? "dashed" : "solid") } },
  });

  function options(chart, width) {
    const ink = [colour("--first"), colour("--second"), colour("--third")];
    return {
      ...common(width),
      cursor: { sync: { key: "steps" }, focus: { prox: 24 }, drag: { x: false, y: false }, y: false },
      scales: {
        x: { time: false },
        y: { range: chart.share ? [0, 100] : (_, low, high) => uPlot.rangeNum(Math.min(0, low), high, 0.1, true) },
      },
      axes: [
        { ...axis(), label: "step", size: 24, space: 36, grid: { show: false }, incrs: [1, 2, 5, 10, 20, 25, 50, 100, 200, 500, 1000, 2000, 5000, 1e4, 1e5] },
        { ...axis(), label: chart.unit, size: 38 },
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

  // Areas one on the other: drawn from the total down, while the legend tells each part.
  function stackedOptions(chart, width) {
    const made = options(chart, width);
    made.legend = { markers: { width: 2, dash: "solid", stroke: (_, index) => made.series[index].fill } };
    made.focus = { alpha: 1 };
    chart.lines.forEach((line, index) => {
      Object.assign(made.series[index + 1], {
        fill: colour(["--first", "--lucky", "--second"][index]),
        stroke: colour("--paper"),
        width: 1,
        dash: undefined,
        points: { show: false },
        value: (_, __, ___, at) => shown(chart, at == null ? lastKnown(line.values) : line.values[at]),
      });
    });
    made.bands = chart.lines.slice(1).map((_, index) => ({ series: [index + 2, index + 1], fill: made.series[index + 2].fill }));
    return made;
  }

  function stacked(lines) {
    const sums = steps.map(() => 0);
    return lines.map((line) => line.values.map((value, at) => (value == null ? null : (sums[at] += value))));
  }

  function attemptOptions(chart, width) {
    const share = { share: true };
    return {
      ...common(width),
      legend: { markers: { width: 2, dash: (_, index) => (chart.lines[index - 1]?.before ? "dashed" : "solid") } },
      cursor: { focus: { prox: 24 }, drag: { x: false, y: false }, y: false },
      scales: { x: { time: false, distr: 3, log: 2 }, y: { range: [0, 100] } },
      axes: [
        { ...axis(), label: "k completions", size: 24, grid: { show: false }, splits: () => chart.ks, values: (_, ks) => ks.map(String) },
        { ...axis(), label: "% of questions", size: 38 },
      ],
      series: [
        { label: "k", value: (_, k) => String(k ?? chart.ks.at(-1)) },
        ...chart.lines.map((line) => ({
          label: line.label,
          stroke: colour(line.label.startsWith("pass") ? "--first" : "--second"),
          width: 1.75,
          dash: line.before ? [5, 4] : undefined,
          spanGaps: true,
          points: { size: 5 },
          value: (_, value, __, at) => shown(share, at == null ? lastKnown(line.values) : value),
        })),
      ],
    };
  }

  function drawing(figure) {
    const place = figure.querySelector(".canvas");
    if (figure.dataset.attempts != null) {
      const chart = attempts[figure.dataset.attempts];
      return { place, options: (width) => attemptOptions(chart, width), data: [chart.ks, ...chart.lines.map((line) => line.values)] };
    }
    const chart = charts[figure.dataset.chart];
    const lines = chart.stacked ? stacked(chart.lines) : chart.lines.map((line) => line.values);
    return { place, options: (width) => (chart.stacked ? stackedOptions : options)(chart, width), data: [steps, ...lines] };
  }

  function draw(fixedWidth) {
    for (const plot of drawn) plot.destroy();
    drawn = [...document.querySelectorAll("figure[data-chart], figure[data-attempts]")].map((figure) => {
      const { place, options, data } = drawing(figure);
      return new uPlot(options(fixedWidth ?? Math.floor(place.clientWidth)), data, place);
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
