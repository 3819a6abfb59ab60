"use strict";
// Charts: the accuracies, the map with its legend, and the histogram of scores.

const DARK_COLORS = { "#0072B2": "#56B4E9", "#56B4E9": "#A9DCF7", "#D55E00": "#FF9B57", "#C3CAD4": "#4A5360", "#8A8F98": "#9BA3AE", "#333333": "#E8EAED" };
const INK = { light: ["#1b1f24", "#5b636d", "#e3e5e8"], dark: ["#e8eaed", "#a2aab4", "#2d333b"] };
const views = {};

function themed(spec, mapped) {
  const theme = document.documentElement.dataset.theme;
  const [ink, soft, line] = INK[theme];
  let text = JSON.stringify(spec);
  if (theme === "dark" && mapped) text = text.replace(/"(#[0-9A-F]{6})"/gi, (all, color) => `"${DARK_COLORS[color.toUpperCase()] || color}"`);
  const config = {
    background: "transparent",
    font: getComputedStyle(document.body).fontFamily,
    view: { stroke: null },
    axis: { labelColor: soft, titleColor: soft, domainColor: line, tickColor: line, labelFontSize: 12, titleFontSize: 12, titleFontWeight: "normal" },
    axisX: { grid: false },
    axisY: { gridColor: line, domain: false, ticks: false },
    legend: { labelColor: ink, titleColor: soft, labelFontSize: 12, titleFontSize: 12, titleFontWeight: "normal", labelLimit: 180, symbolOpacity: 1 },
    title: { color: ink, subtitleColor: soft, fontSize: 13, fontWeight: "normal", anchor: "start" },
    text: { fontSize: 12 },
  };
  return { ...JSON.parse(text), config, width: "container", autosize: { type: "fit-x", contains: "padding" } };
}

async function drawChart(name, host, spec, { change = () => {}, tooltip, mapped = true } = {}) {
  const finished = themed(spec, mapped);
  change(finished, Math.max(1, Math.floor(host.clientWidth / 130)));
  const drawn = await vegaEmbed(host, finished, {
    actions: false, ast: true, renderer: "canvas", defaultStyle: false,
    tooltip: tooltip || { theme: document.documentElement.dataset.theme },
  });
  views[name]?.finalize();
  views[name] = drawn.view;
  return drawn.view;
}

async function drawCharts() {
  hideCard();
  const legendBelow = (spec, columns) => (spec.config.legend = { ...spec.config.legend, orient: "bottom", columns, offset: 14 });
  const hosts = document.querySelectorAll(".curve");
  for (const [i, spec] of data.charts.curves.entries()) {
    await drawChart(`curve ${i}`, hosts[i], { ...spec, height: 260 }, { change: legendBelow });
  }
  const view = await drawChart("map", byId("map-chart"), { ...data.map.chart, height: innerWidth < 736 ? 400 : 520 }, { tooltip: showPoint, mapped: false });
  view.addEventListener("click", (_, item) => item?.datum?.at !== undefined && openBox(0, [{ image: data.images[item.datum.at] }]));
  showChosen();
  await drawChart("scores", byId("score-chart"), { ...data.charts.scores, height: 260 });
  showBins();
  document.body.dataset.ready = "yes";
}

// ---- Map

const chosen = new Set();

function showPoint(_handler, event, item, value) {
  if (!value || item.datum.at === undefined) return hideCard();
  return showCard(data.images[item.datum.at], event.clientX, event.clientY);
}

function showChosen() {
  for (const [i, button] of [...byId("legend").children].entries()) button.setAttribute("aria-pressed", String(chosen.has(i)));
  views.map?.signal("chosen", [...chosen]).signal("member", Number(byId("highlight").value)).run();
}

data.map.groups.forEach((name, i) => {
  const choose = () => {
    if (!chosen.delete(i)) chosen.add(i);
    showChosen();
  };
  const chip = element("i", { style: { background: data.map.colors[i] } });
  byId("legend").append(element("button", { type: "button", onclick: choose }, chip, element("bdi", {}, name)));
});
byId("highlight-label").hidden = data.map.groups.length >= data.classes.length;
if (!byId("highlight-label").hidden) options(data.classes.slice(0, 5000).map((one, i) => [i, one.name]), "highlight");
byId("highlight").addEventListener("change", showChosen);

// ---- Scores

const allBins = data.charts.scores.layer[0].data.values;

function showBins() {
  const member = Number(byId("score-class").value);
  const own = new Map((data.bins[member] || []).map(([at, ...counts]) => [at, counts]));
  const bins = allBins.map(({ low, high }, at) => {
    const [kept, dropped, suspect] = own.get(at) || [0, 0, 0];
    return { low, high, kept, dropped, suspect };
  });
  const middle = member < 0 ? data.charts.scores.layer[1].data.values : [{ low: data.classes[member].median, text: "median" }];
  views.scores?.data("bins", member < 0 ? allBins.map((bin) => ({ ...bin })) : bins).data("median", middle).run();
}

options(Object.keys(data.bins).map((member) => [member, nameOf(member)]), "score-class");
byId("score-class").addEventListener("change", showBins);
drawCharts();
