// Draws the curves of #curves into the figures. Arms are switched on and off together in all of them.
"use strict";
(() => {
  const { steps, arms, charts } = JSON.parse(document.getElementById("curves").textContent);
  const buttons = [...document.querySelectorAll(".arms button")];
  const root = document.documentElement;
  const colour = (name) => getComputedStyle(root).getPropertyValue(name).trim();
  const shown = arms.map(() => true);
  let drawn = [];

  const text = (chart, value) => {
    if (value == null) return "\u2014";
    if (chart.share) return value.toFixed(1) + "\u00a0%";
    return Math.abs(value) >= 1e4 ? Math.round(value).toLocaleString("en") : String(+value.toPrecision(3));
  };

  const most = (chart) => Math.max(...chart.series.flatMap(({ runs, mean, high }) => [...runs, mean, high].flat()).map((value) => value ?? 0));

  // Every line of a chart with the arm it belongs to: runs below, means on top.
  function lines(chart) {
    const bands = [], runs = [], means = [];
    chart.series.forEach((series, arm) => {
      const ink = colour(arms[arm].colour);
      if (series.low.length) {
        for (const values of [series.high, series.low]) bands.push({ arm, values, width: 0, ink: ink + "00" });
      }
      for (const values of series.runs) runs.push({ arm, values, width: 1, ink: ink + "59" });
      if (series.mean.length) {
        means.push({ arm, values: series.mean, width: arms[arm].band ? 1.5 : 2.25, ink, dash: arms[arm].dashed ? [5, 4] : undefined });
      }
    });
    return { all: [...bands, ...runs, ...means], bands };
  }

  function readout(figure, chart, at) {
    const list = figure.querySelector(".readout");
    list.querySelector(".at")?.remove();
    [...list.children].forEach((item, arm) => {
      const values = chart.series[arm].mean;
      item.textContent = text(chart, at == null ? values.findLast((value) => value != null) : values[at]);
      item.classList.toggle("off", !shown[arm]);
    });
    if (at == null) return;
    const step = document.createElement("li");
    step.className = "at";
    step.textContent = "step " + steps[at];
    list.append(step);
  }

  function options(figure, chart, found, width) {
    const axis = {
      stroke: colour("--muted"),
      grid: { stroke: colour("--rule"), width: 1 },
      ticks: { show: false },
      font: "11px system-ui, sans-serif",
      labelFont: "11px system-ui, sans-serif",
      labelSize: 18,
    };
    return {
      width,
      height: heightOf(figure),
      padding: [8, 8, 0, 0],
      legend: { show: false },
      cursor: { sync: { key: "steps" }, drag: { x: false, y: false }, y: false, points: { show: false } },
      scales: {
        x: { time: false },
        y: { range: chart.share ? [0, most(chart) > 45 ? 100 : 50] : (_, low, high) => (low == null ? [0, 1] : uPlot.rangeNum(Math.min(0, low), high, 0.1, true)) },
      },
      axes: [
        { ...axis, label: "step", size: 24, space: 36, grid: { show: false }, incrs: [1, 2, 5, 10, 20, 25, 50, 100, 200, 500, 1000, 2000, 5000, 1e4, 1e5] },
        { ...axis, size: 38 },
      ],
      bands: found.bands.flatMap((line, index) =>
        index % 2 ? [] : [{ series: [index + 1, index + 2], fill: colour(arms[line.arm].colour) + "38" }]),
      series: [
        {},
        ...found.all.map((line) => ({
          stroke: line.ink,
          width: line.width,
          dash: line.dash,
          spanGaps: true,
          show: shown[line.arm],
          points: { show: steps.length < 3 && line.width > 0, size: 5 },
        })),
      ],
      hooks: { setCursor: [(plot) => readout(figure, chart, plot.cursor.idx)] },
    };
  }

  const heightOf = (figure) => (figure.classList.contains("first") ? (innerWidth < 736 ? 240 : 330) : 190);

  function draw(fixedWidths) {
    for (const { plot } of drawn) plot.destroy();
    drawn = [...document.querySelectorAll("figure[data-chart]")].map((figure) => {
      const chart = charts[figure.dataset.chart];
      const place = figure.querySelector(".canvas");
      const found = lines(chart);
      const first = figure.classList.contains("first");
      const width = fixedWidths ? fixedWidths[first ? 0 : 1] : Math.floor(place.clientWidth);
      const data = [steps, ...found.all.map((line) => line.values)];
      return { figure, chart, found, plot: new uPlot(options(figure, chart, found, width), data, place) };
    });
    for (const { figure, chart } of drawn) readout(figure, chart, null);
  }

  const fit = () => drawn.forEach(({ figure, plot }) => {
    const width = Math.floor(plot.root.parentElement.clientWidth);
    if (width > 0 && width !== plot.width) plot.setSize({ width, height: heightOf(figure) });
  });

  buttons.forEach((button, arm) => button.addEventListener("click", () => {
    shown[arm] = !shown[arm];
    button.setAttribute("aria-pressed", String(shown[arm]));
    for (const { figure, chart, found, plot } of drawn) {
      plot.batch(() => found.all.forEach((line, index) => {
        if (line.arm === arm) plot.setSeries(index + 1, { show: shown[arm] });
      }));
      readout(figure, chart, null);
    }
  }));

  draw();
  addEventListener("resize", fit);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => draw());
  addEventListener("beforeprint", () => { root.dataset.print = ""; draw([640, 310]); });
  addEventListener("afterprint", () => { delete root.dataset.print; draw(); });
})();
