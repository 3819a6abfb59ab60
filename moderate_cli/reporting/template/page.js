"use strict";
// Draws charts, table, gallery and slider from the data inside the page.

const data = JSON.parse(document.getElementById("data").textContent);
data.classes = data.classes.name.map((_, i) =>
  Object.fromEntries(Object.entries(data.classes).map(([key, column]) => [key, column[i]])),
);
const byId = (id) => document.getElementById(id);
const grouped = (number) => number.toLocaleString("en-US");
const plural = (number, one) => `${grouped(number)} ${number === 1 ? one : `${one}s`}`;
const score = (number) => (Math.abs(number) < 1e4 ? number.toPrecision(4) : grouped(Math.round(number)));

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key === "class") made.className = value;
    else if (key === "style") Object.assign(made.style, value);
    else made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
}

// ---- Theme

const DARK_COLORS = { "#0072B2": "#56B4E9", "#56B4E9": "#A9DCF7", "#C3CAD4": "#4A5360", "#8A8F98": "#9BA3AE", "#333333": "#E8EAED" };
const INK = { light: ["#1b1f24", "#5b636d", "#e3e5e8"], dark: ["#e8eaed", "#a2aab4", "#2d333b"] };

function remembered() {
  try {
    return localStorage.getItem("moderate-theme");
  } catch {
    return null; // some browsers store nothing for pages on disk
  }
}

function showTheme(theme) {
  document.documentElement.dataset.theme = theme;
  byId("theme").setAttribute("aria-pressed", String(theme === "dark"));
}

const systemDark = matchMedia("(prefers-color-scheme: dark)");
showTheme(remembered() || (systemDark.matches ? "dark" : "light"));
systemDark.addEventListener("change", (event) => {
  if (!remembered()) setTheme(event.matches ? "dark" : "light");
});

function setTheme(theme) {
  showTheme(theme);
  drawCharts();
}

byId("theme").addEventListener("click", () => {
  const theme = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
  try {
    localStorage.setItem("moderate-theme", theme);
  } catch {
    // Some browsers store nothing: the choice lasts until the page is closed.
  }
  setTheme(theme);
});

// ---- Card with the image under the pointer, or with the keyboard's focus

const card = byId("card");

function showCard(image, x, y) {
  const lines = [];
  const picture = data.pictures[image.row];
  if (picture) lines.push(element("img", { src: picture, alt: "", width: 112, height: 112 }));
  lines.push(element("p", {}, element("bdi", {}, image.path)));
  lines.push(element("p", { class: "fine" }, `${image.class} · ${score(image.score)} · ${image.fate}`));
  if (image.like) lines.push(element("p", { class: "some" }, `looks like ${image.like}`));
  card.replaceChildren(...lines);
  card.hidden = false;
  const { width, height } = card.getBoundingClientRect();
  const left = x + 16 + width > innerWidth ? x - 16 - width : x + 16;
  card.style.left = `${Math.max(8, Math.min(left, innerWidth - width - 8))}px`;
  card.style.top = `${Math.max(8, Math.min(y + 12, innerHeight - height - 8))}px`;
}

function showCardAt(figure) {
  const { left, bottom } = figure.getBoundingClientRect();
  showCard(figure.image, left, bottom);
}

const hideCard = () => (card.hidden = true);
// Moving the focus may scroll the page.
const scrolled = () => (document.activeElement.image && !card.hidden ? showCardAt(document.activeElement) : hideCard());
addEventListener("scroll", scrolled, { passive: true });
addEventListener("keydown", (event) => event.key === "Escape" && hideCard());

// ---- Charts

const views = {};

function themed(spec) {
  const theme = document.documentElement.dataset.theme;
  const [ink, soft, line] = INK[theme];
  let text = JSON.stringify(spec);
  if (theme === "dark") text = text.replace(/"(#[0-9A-F]{6})"/g, (all, color) => `"${DARK_COLORS[color] || color}"`);
  const config = {
    background: "transparent",
    font: getComputedStyle(document.body).fontFamily,
    view: { stroke: null },
    axis: { labelColor: soft, titleColor: soft, domainColor: line, tickColor: line, labelFontSize: 12, titleFontSize: 12, titleFontWeight: "normal" },
    axisX: { grid: false },
    axisY: { gridColor: line, domain: false, ticks: false },
    legend: { labelColor: ink, titleColor: soft, labelFontSize: 12, titleFontSize: 12, titleFontWeight: "normal", labelLimit: 180, symbolOpacity: 1 },
  };
  return { ...JSON.parse(text), config, width: "container", autosize: { type: "fit-x", contains: "padding" } };
}

async function drawChart(name, host, spec, change = () => {}, tooltip = undefined) {
  const finished = themed(spec);
  const columns = Math.max(1, Math.floor(host.clientWidth / 130));
  change(finished, columns);
  const drawn = await vegaEmbed(host, finished, {
    actions: false, ast: true, renderer: "canvas", defaultStyle: false,
    tooltip: tooltip || { theme: document.documentElement.dataset.theme },
  });
  views[name]?.finalize();
  views[name] = drawn.view;
  return drawn.view;
}

function showPoint(_handler, event, item, value) {
  if (!value) return hideCard();
  const { name } = data.classes[item.datum.member];
  return showCard({ ...item.datum, class: name }, event.clientX, event.clientY);
}

async function drawCharts() {
  hideCard();
  const legendBelow = (spec, columns) => (spec.config.legend = { ...spec.config.legend, orient: "bottom", columns, offset: 14 });
  await drawChart("scores", byId("score-chart"), { ...data.charts.scores, height: 240 });
  showBins();
  await drawChart("map", byId("map-chart"), { ...data.charts.map, height: innerWidth < 736 ? 380 : 480 }, legendBelow, showPoint);
  highlight();
  const hosts = document.querySelectorAll(".curve");
  for (const [i, spec] of data.charts.curves.entries()) {
    await drawChart(`curve ${i}`, hosts[i], { ...spec, height: 300 }, legendBelow);
  }
  document.body.dataset.ready = "yes";
}

function highlight() {
  views.map?.signal("chosen", Number(byId("highlight").value)).run();
}

// ---- Slider

const slider = byId("ratio");
const { percents, selected, bins, bands } = data.slider;
let current = selected;
let counts = data.slider.counts[current]; // images kept of each class

function moveTo(next) {
  current = next;
  counts = data.slider.counts[current];
  const total = counts.reduce((all, count) => all + count, 0);
  slider.value = current;
  slider.setAttribute("aria-valuetext", `${percents[current]} %`);
  byId("ratio-out").textContent = `${percents[current]} %, ${plural(total, "image")}`;
  byId("total-kept").textContent = grouped(total);
  byId("reset").hidden = current === selected;
  showCounts();
  showBins();
}

function showBins() {
  const view = views.scores;
  if (!view || !bins) return;
  view.data("bins", data.bins.map((bin, i) => ({ ...bin, kept: bins[current][i], dropped: bin.kept + bin.dropped - bins[current][i] })));
  if (bands) view.data("band", [{ low: bands[current][0], high: bands[current][1] }]);
  view.run();
}

let waiting = false;
slider.addEventListener("input", () => {
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(() => {
    waiting = false;
    moveTo(Number(slider.value));
  });
});
byId("reset").addEventListener("click", () => {
  moveTo(selected);
  slider.focus();
});

// ---- Table

const AT_FIRST = 200;
const body = document.querySelector("#class-table tbody");
const scale = [Math.min(...data.classes.map((one) => one.low)), Math.max(...data.classes.map((one) => one.high))];
const across = (value) => (100 * (value - scale[0])) / (scale[1] - scale[0] || 1);
const KEYS = {
  name: (i) => data.classes[i].name,
  images: (i) => data.classes[i].images,
  kept: (i) => counts[i],
  share: (i) => counts[i] / data.classes[i].images,
  median: (i) => data.classes[i].median,
  spread: (i) => data.classes[i].high - data.classes[i].low,
  suspects: (i) => data.classes[i].suspects,
};
let order = data.classes.map((_, i) => i);
let limit = AT_FIRST;
const cells = new Map(); // class -> elements of its row that the slider changes

function row(i) {
  const one = data.classes[i];
  const name = element("button", { type: "button", title: "Show in the gallery" }, element("bdi", {}, one.name));
  name.addEventListener("click", () => {
    chooseClass(i);
    byId("gallery").scrollIntoView();
    byId("class").focus({ preventScroll: true });
  });
  const kept = element("td", { class: "number" });
  const fill = element("i");
  const share = element("b");
  cells.set(i, { kept, fill, share });
  const middle = element("i", { style: { left: `${across(one.low)}%`, width: `${across(one.high) - across(one.low)}%` } });
  const mark = element("b", { style: { left: `${across(one.median)}%` } });
  const range = `${score(one.low)} to ${score(one.high)}`;
  return element(
    "tr", {},
    element("th", { scope: "row" }, name),
    element("td", { class: "number" }, grouped(one.images)),
    kept,
    element("td", {}, element("div", { class: "share" }, element("span", { class: "bar" }, fill), share)),
    element("td", { class: "number" }, score(one.median)),
    element("td", {}, element("div", { class: "range", role: "img", "aria-label": range, title: range }, middle, mark)),
    element("td", { class: one.suspects ? "number some" : "number" }, grouped(one.suspects)),
  );
}

function showCounts() {
  for (const [i, { kept, fill, share }] of cells) {
    const part = (100 * counts[i]) / data.classes[i].images;
    kept.textContent = grouped(counts[i]);
    fill.style.width = `${part}%`;
    share.textContent = `${part.toFixed(1)} %`;
  }
}

function showRows() {
  cells.clear();
  body.replaceChildren(...order.slice(0, limit).map(row));
  showCounts();
  byId("more").hidden = order.length <= limit;
  byId("more").textContent = `Show all ${grouped(order.length)} classes`;
}

function sortBy(button) {
  const head = button.closest("th");
  const downFirst = button.dataset.key !== "name";
  const before = head.getAttribute("aria-sort");
  const up = before === "none" ? !downFirst : before === "descending";
  for (const other of head.parentNode.children) other.setAttribute("aria-sort", "none");
  head.setAttribute("aria-sort", up ? "ascending" : "descending");
  const key = KEYS[button.dataset.key];
  const compare = (a, b) => (typeof a === "string" ? a.localeCompare(b, "en") : a - b);
  order.sort((a, b) => (up ? compare(key(a), key(b)) : compare(key(b), key(a))) || a - b);
  showRows();
}

for (const button of document.querySelectorAll("thead button")) {
  button.addEventListener("click", () => sortBy(button));
}
byId("more").addEventListener("click", () => {
  limit = Infinity;
  showRows();
});

// ---- Gallery

const chooser = byId("class");

function picture(image) {
  const caption = element("figcaption", {}, element("b", {}, score(image.score)), ` ${image.fate}`);
  if (image.like) caption.append(element("em", {}, image.like));
  const inside = data.pictures[image.row] ? element("img", { src: data.pictures[image.row], alt: "" }) : element("span", {}, data.undrawn[image.row] || "no room on this page");
  const label = `${image.path}, ${score(image.score)}, ${image.fate}${image.like ? `, looks like ${image.like}` : ""}`;
  const figure = element("figure", { class: image.fate, tabindex: 0, role: "img", "aria-label": label }, element("div", { class: "picture" }, inside), caption);
  figure.addEventListener("pointermove", (event) => showCard(image, event.clientX, event.clientY));
  figure.addEventListener("pointerleave", hideCard);
  figure.image = image;
  figure.addEventListener("focus", () => showCardAt(figure));
  figure.addEventListener("blur", hideCard);
  return figure;
}

function chooseClass(i) {
  if (!data.gallery[i]) return;
  chooser.value = String(i);
  const name = data.classes[i].name;
  const shelves = data.gallery[i].map(({ title, images }) =>
    element(
      "div", { class: "shelf" },
      element("h3", {}, title),
      element("div", { class: "grid" }, ...images.map((image) => picture({ ...image, class: name }))),
    ),
  );
  byId("shelves").replaceChildren(...shelves);
}

for (const i of Object.keys(data.gallery)) {
  const { name, suspects } = data.classes[i];
  const many = suspects ? ` (${plural(suspects, "suspect")})` : "";
  chooser.append(element("option", { value: i }, `${name}${many}`));
}
data.classes.forEach((one, i) => byId("highlight").append(element("option", { value: i }, one.name)));
chooser.addEventListener("change", () => chooseClass(chooser.value));
const turn = (by) => {
  const { length } = chooser.options;
  chooser.selectedIndex = (chooser.selectedIndex + by + length) % length;
  chooseClass(chooser.value);
};
byId("previous").addEventListener("click", () => turn(-1));
byId("next").addEventListener("click", () => turn(1));
byId("highlight").addEventListener("change", highlight);

showRows();
moveTo(selected);
chooseClass(chooser.value);
drawCharts();
