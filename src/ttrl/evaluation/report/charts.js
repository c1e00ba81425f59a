// Draws the charts of #curves into the figures, in the colours of the style sheet, with the last or the
// touched values above each. On a page of several runs, arms are switched on and off in all of them.
"use strict";
(() => {
  const found = JSON.parse(document.getElementById("curves").textContent);
  const { steps } = found;
  const buttons = [...document.querySelectorAll(".arms button")];
  const root = document.documentElement;
  const colour = (name) => getComputedStyle(root).getPropertyValue(name).trim();
  const shown = buttons.map(() => true);
  const isShown = (line) => line.arm == null || shown[line.arm];
  let drawn = [];

  const text = (chart, value) => {
    if (value == null) return "\u2014";
    if (chart.share) return value.toFixed(1) + "\u00a0%";
    return Math.abs(value) >= 1e4 ? Math.round(value).toLocaleString("en") : String(+value.toPrecision(3));
  };

  const most = (chart) => Math.max(...chart.lines.flatMap(({ values, high }) => [...values, ...high]).map((value) => value ?? 0));

  // What uPlot draws, from the back to the front: edges of bands, single runs, means and lines.
  function series(chart) {
    const edges = chart.lines.filter((line) => line.low.length).flatMap((line) =>
      [line.high, line.low].map((values) => ({ line, values, width: 0, ink: colour(line.ink) + "00" })));
    const single = chart.lines.filter((line) => !line.label).map((line) =>
      ({ line, values: line.values, width: 1, ink: colour(line.ink) + "59" }));
    const sums = chart.stacked ? steps.map(() => 0) : null;
    const whole = chart.lines.filter((line) => line.label).map((line) => ({
      line,
      values: sums ? line.values.map((value, at) => (value == null ? null : (sums[at] += value))) : line.values,
      width: sums ? 1 : line.low.length ? 1.5 : buttons.length ? 2.25 : 1.75,
      ink: colour(sums ? "--paper" : line.ink),
      fill: sums ? colour(line.ink) : undefined,
      dash: line.dashed ? [5, 4] : undefined,
    }));
    return [...edges, ...single, ...whole];
  }

  function bands(chart, lines) {
    const edges = lines.filter(({ width }) => width === 0).length;
    const pairs = lines.slice(0, edges).flatMap(({ line }, index) =>
      index % 2 ? [] : [{ series: [index + 1, index + 2], fill: colour(line.ink) + "38" }]);
    const parts = chart.stacked ? lines.slice(1).map((line, index) => ({ series: [index + 2, index + 1], fill: line.fill })) : [];
    return [...pairs, ...parts];
  }

  function readout({ figure, chart, x }, at) {
    const list = figure.querySelector(".readout");
    list.querySelector(".at")?.remove();
    chart.lines.filter((line) => line.label).forEach((line, index) => {
      const item = list.children[index];
      item.querySelector("b").textContent = text(chart, at == null ? line.values.findLast((value) => value != null) : line.values[at]);
      item.classList.toggle("off", !isShown(line));
    });
    if (at == null) return;
    const place = document.createElement("li");
    place.className = "at";
    place.textContent = (chart.ks.length ? "k = " : "step ") + x[at];
    list.append(place);
  }

  const heightOf = (figure) => (figure.classList.contains("first") ? (innerWidth < 736 ? 240 : 330) : 190);

  function options(plot, lines, width) {
    const { figure, chart } = plot;
    const axis = {
      stroke: colour("--muted"),
      grid: { stroke: colour("--rule"), width: 1 },
      ticks: { show: false },
      font: "11px system-ui, sans-serif",
      labelFont: "11px system-ui, sans-serif",
      labelSize: 18,
    };
    const overSteps = { label: "step", space: 36, incrs: [1, 2, 5, 10, 20, 25, 50, 100, 200, 500, 1000, 2000, 5000, 1e4, 1e5] };
    const overK = { label: "k completions", splits: () => chart.ks, filter: (_, ks) => ks, values: (_, ks) => ks.map(String) };
    const isWide = chart.ks.length || chart.stacked || most(chart) > 45;
    return {
      width,
      height: heightOf(figure),
      padding: [8, 8, 0, 0],
      legend: { show: false },
      focus: { alpha: buttons.length || chart.stacked ? 1 : 0.25 },
      cursor: {
        ...(chart.ks.length ? {} : { sync: { key: "steps" } }),
        focus: { prox: 24 },
        drag: { x: false, y: false },
        y: false,
        points: { show: false },
      },
      scales: {
        x: chart.ks.length ? { time: false, distr: 3, log: 2 } : { time: false },
        y: { range: chart.share ? [0, isWide ? 100 : 50] : (_, low, high) => (low == null ? [0, 1] : uPlot.rangeNum(Math.min(0, low), high, 0.1, true)) },
      },
      axes: [
        { ...axis, ...(chart.ks.length ? overK : overSteps), size: 24, grid: { show: false } },
        { ...axis, size: 38, ...(buttons.length ? {} : { label: chart.unit }) },
      ],
      bands: bands(chart, lines),
      series: [
        {},
        ...lines.map(({ line, width, ink, fill, dash }) => ({
          stroke: ink,
          width,
          fill,
          dash,
          spanGaps: buttons.length > 0 || chart.ks.length > 0,
          show: isShown(line),
          points: { show: width > 0 && !fill && (buttons.length ? plot.x.length < 3 : plot.x.length < 40), size: 5 },
        })),
      ],
      hooks: { setCursor: [(made) => readout(plot, made.cursor.idx)] },
    };
  }

  function draw(fixedWidths) {
    for (const { made } of drawn) made.destroy();
    drawn = [...document.querySelectorAll("figure[data-list]")].map((figure) => {
      const chart = found[figure.dataset.list][figure.dataset.at];
      const plot = { figure, chart, x: chart.ks.length ? chart.ks : steps, lines: series(chart) };
      const place = figure.querySelector(".canvas");
      const width = fixedWidths ? fixedWidths[+!figure.classList.contains("first")] : Math.floor(place.clientWidth);
      plot.made = new uPlot(options(plot, plot.lines, width), [plot.x, ...plot.lines.map((line) => line.values)], place);
      return plot;
    });
    for (const plot of drawn) readout(plot, null);
  }

  const fit = () => drawn.forEach(({ figure, made }) => {
    const width = Math.floor(made.root.parentElement.clientWidth);
    if (width > 0 && width !== made.width) made.setSize({ width, height: heightOf(figure) });
  });

  buttons.forEach((button, arm) => button.addEventListener("click", () => {
    shown[arm] = !shown[arm];
    button.setAttribute("aria-pressed", String(shown[arm]));
    for (const plot of drawn) {
      plot.made.batch(() => plot.lines.forEach(({ line }, index) => {
        if (line.arm === arm) plot.made.setSeries(index + 1, { show: shown[arm] });
      }));
      readout(plot, null);
    }
  }));

  draw();
  addEventListener("resize", fit);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => draw());
  addEventListener("beforeprint", () => { root.dataset.print = ""; draw([640, 300]); });
  addEventListener("afterprint", () => { delete root.dataset.print; draw(); });
})();
