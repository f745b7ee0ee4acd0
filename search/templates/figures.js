// Draws every <figure data-plot> from the JSON inside it, in the colours of the page. Shared by the pages and the report.
(() => {
  "use strict";
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  function dressed(layout) {
    const ink = colour("--ink-2"), line = colour("--line"), card = colour("--card");
    const axis = { gridcolor: line, linecolor: ink, tickcolor: ink };
    return {
      ...layout,
      font: { ...layout.font, color: ink, family: colour("--font") },
      modebar: { bgcolor: "rgba(0,0,0,0)", color: line, activecolor: colour("--accent") },
      hoverlabel: { ...layout.hoverlabel, bgcolor: card, bordercolor: line, font: { color: colour("--ink") } },
      xaxis: { ...layout.xaxis, ...axis },
      yaxis: { ...layout.yaxis, ...axis },
    };
  }

  // Draws or redraws one figure; a second call with new data moves the points and keeps the zoom.
  function draw(figure, source = figure.querySelector("script[type='application/json']")) {
    if (!window.Plotly || !source) return;
    const { data, layout } = JSON.parse(source.textContent);
    const place = figure.querySelector(".plot");
    const options = { responsive: true, displaylogo: false, modeBarButtons: [["toImage", "zoom2d", "pan2d", "resetScale2d"]] };
    window.Plotly.react(place, data, { ...dressed(layout), uirevision: "keep" }, options);
  }

  const all = () => document.querySelectorAll("figure[data-plot]").forEach((figure) => draw(figure));
  window.fitwright = { draw, all };
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", all);
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", all);
  else all();
})();
