"use strict";
// The table of classes, and the slider that shows its counts at another ratio.

// ---- Slider

const slider = byId("ratio");
const { percents, selected } = data.slider;
let current = selected;
let counts = data.slider.counts[current]; // images kept of each class
const sum = (numbers) => numbers.reduce((all, one) => all + one, 0);
const images = sum(data.classes.map((one) => one.images));

function moveTo(next) {
  current = next;
  counts = data.slider.counts[current];
  const total = sum(counts);
  slider.value = current;
  slider.setAttribute("aria-valuetext", `${percents[current]} %`);
  byId("ratio-out").textContent = `${percents[current]} %, ${plural(total, "image")}`;
  byId("total-kept").textContent = grouped(total);
  byId("total-share").replaceChildren(shareOf(total, images));
  byId("reset").hidden = current === selected;
  showCounts();
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
const lowest = Math.min(...data.classes.map((one) => one.low));
const highest = Math.max(...data.classes.map((one) => one.high));
const across = (value) => 3 + (94 * (value - lowest)) / (highest - lowest || 1);
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

function shareOf(kept, all) {
  const part = (100 * kept) / all;
  const mean = element("u", { style: { left: `${(100 * sum(counts)) / images}%` } });
  const bar = element("span", { class: "bar" }, element("i", { style: { width: `${part}%` } }), mean);
  return element("div", { class: "share" }, bar, element("b", {}, `${part.toFixed(1)} %`));
}

function row(i) {
  const one = data.classes[i];
  const show = () => {
    setView("all", { member: i });
    byId("images").scrollIntoView();
    byId("class").focus({ preventScroll: true });
  };
  const shown = listed.some((image) => image.member === i);
  const name = shown
    ? element("button", { type: "button", title: "Show its images", onclick: show }, element("bdi", {}, one.name))
    : element("bdi", {}, one.name);
  const kept = element("td", { class: "number" });
  const share = element("td");
  cells.set(i, { kept, share });
  const middle = element("i", { style: { left: `${across(one.low)}%`, width: `${across(one.high) - across(one.low)}%` } });
  const mark = element("b", { style: { left: `${across(one.median)}%` } });
  const range = `${score(one.low)} to ${score(one.high)}`;
  return element(
    "tr", {},
    element("th", { scope: "row" }, name),
    element("td", { class: "number" }, grouped(one.images)),
    kept,
    share,
    element("td", { class: "number" }, score(one.median)),
    element("td", {}, element("div", { class: "range", role: "img", "aria-label": range, title: range }, middle, mark)),
    element("td", { class: one.suspects ? "number some" : "number" }, grouped(one.suspects)),
  );
}

function showCounts() {
  for (const [i, { kept, share }] of cells) {
    kept.textContent = grouped(counts[i]);
    share.replaceChildren(shareOf(counts[i], data.classes[i].images));
  }
}

function showRows() {
  cells.clear();
  body.replaceChildren(...order.slice(0, limit).map(row));
  showCounts();
  byId("more").hidden = order.length <= limit;
  byId("more").textContent = `Show all ${grouped(order.length)} classes`;
}

function sortBy(name, up) {
  for (const head of document.querySelectorAll("thead th")) {
    const own = head.firstChild.dataset.key === name;
    head.setAttribute("aria-sort", own ? (up ? "ascending" : "descending") : "none");
  }
  const key = KEYS[name];
  const compare = (a, b) => (typeof a === "string" ? a.localeCompare(b, "en") : a - b);
  order.sort((a, b) => (up ? compare(key(a), key(b)) : compare(key(b), key(a))) || a - b);
  showRows();
}

for (const button of document.querySelectorAll("thead button")) {
  button.addEventListener("click", () => {
    const before = button.parentNode.getAttribute("aria-sort");
    sortBy(button.dataset.key, before === "none" ? button.dataset.key === "name" : before === "descending");
  });
}
byId("more").addEventListener("click", () => {
  limit = Infinity;
  showRows();
});

byId("lowest").textContent = score(lowest);
byId("highest").textContent = score(highest);
showRows();
moveTo(selected);
