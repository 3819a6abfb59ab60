"use strict";
// The images: views, filters, order, pages, and the card of an image under the pointer.

const PER_PAGE = innerWidth < 736 ? 24 : 60;
const FATES = ["kept", "dropped", "removed"];
const { exact: exactPaths, twins = [], ...columns } = data.images;
data.images = records(columns).map((image, at) => ({ at, similarity: 0, ...image }));
for (const [one, other, similarity] of twins) {
  for (const at of [one, other]) {
    data.images[at].twin = true;
    data.images[at].similarity = Math.max(data.images[at].similarity, similarity);
  }
}
const listed = data.images.slice(0, data.pictures.length); // the others are on the map only
const nameOf = (member) => data.classes[member].name;
const percentOf = (share) => (share > 0.99 ? "> 99 %" : `${(100 * share).toFixed(0)} %`);

// An item is an image, or a pair of near duplicates.
const itemOf = (image) => ({ image });
const pairs = twins
  .filter(([one, other]) => one < listed.length && other < listed.length)
  .map(([one, other, similarity]) => ({ image: data.images[one], other: data.images[other], similarity }));

const VIEWS = {
  suspects: ["Suspects", () => listed.filter((one) => one.suspect).map(itemOf), "wrong"],
  duplicates: ["Near duplicates", () => pairs, "similarity"],
  kept: ["Kept", () => listed.filter((one) => one.fate === 0).map(itemOf), "score"],
  dropped: ["Dropped", () => listed.filter((one) => one.fate > 0).map(itemOf), "score"],
  all: ["All", () => listed.map(itemOf), "order"],
};
const similarityOf = (item) => item.similarity ?? item.image.similarity;
const differ = (item) => item.other && item.image.member !== item.other.member;
const SORTS = {
  wrong: ["probability", (a, b) => b.image.wrong - a.image.wrong],
  similarity: ["similarity", (a, b) => Boolean(differ(b)) - Boolean(differ(a)) || similarityOf(b) - similarityOf(a)],
  score: ["score, lowest first", (a, b) => a.image.score - b.image.score],
  falling: ["score, highest first", (a, b) => b.image.score - a.image.score],
  order: ["order in the dataset", (a, b) => a.image.at - b.image.at],
};
const items = Object.fromEntries(Object.entries(VIEWS).map(([key, [, take]]) => [key, take()]));
const state = { view: "all", member: -1, pair: "", sort: "order", current: 0 };
let found = [];

const pairOf = ({ image }) => `${image.member} ${image.seen}`;

function filter() {
  const { view, member, pair, sort } = state;
  const isOf = (item) => item.image.member === member || (item.other && item.other.member === member);
  found = items[view].filter((item) => (member < 0 || isOf(item)) && (view !== "suspects" || !pair || pairOf(item) === pair));
  found.sort((a, b) => SORTS[sort][1](a, b) || a.image.at - b.image.at);
  state.current = 0;
  showGrid();
}

function setView(view, changes = {}) {
  Object.assign(state, { view, member: -1, pair: "", sort: VIEWS[view][2] }, changes);
  for (const button of byId("views").children) button.setAttribute("aria-pressed", String(button.dataset.view === view));
  byId("class").value = String(state.member);
  byId("pair").value = state.pair;
  byId("pair-label").hidden = view !== "suspects";
  for (const option of byId("sort").options) {
    option.hidden = option.disabled = (option.value === "wrong" && !("wrong" in columns)) || (option.value === "similarity" && !pairs.length);
  }
  byId("sort").value = state.sort;
  byId("hint").textContent =
    view === "suspects"
      ? "Is the label wrong? Press j to start; y: yes, it has the class that it looks like; n: no, its label is right; x: leave the image out. j and k move, Enter enlarges."
      : "Click on a picture, or press Enter, to enlarge it; j and k move.";
  filter();
}

// ---- Cards

function thumbnail(image) {
  const uri = data.pictures[image.at];
  return uri ? element("img", { src: uri, alt: "", loading: "lazy", decoding: "async" }) : element("span", {}, data.undrawn[image.at] || "no room on this page");
}

const looks = (image) => `${FATES[image.fate]}${image.suspect ? " suspect" : image.twin ? " twin" : ""}`;

function told({ image, other, similarity }) {
  if (other) return `${nameOf(other.member)} and ${nameOf(image.member)}, similarity ${similarity.toFixed(3)}`;
  const wrong = image.suspect ? `, looks like ${nameOf(image.seen)}, ${percentOf(image.wrong)}` : "";
  return `${nameOf(image.member)}, score ${score(image.score)}, ${FATES[image.fate]}${wrong}`;
}

function caption(item) {
  const { image, other, similarity } = item;
  if (other) {
    const names = differ(item) ? `${nameOf(other.member)} ≈ ${nameOf(image.member)}` : nameOf(image.member);
    return [element("b", { class: differ(item) ? "some" : "" }, element("bdi", {}, names)), element("span", {}, similarity.toFixed(3))];
  }
  if (image.suspect) {
    const pair = element("b", {}, element("bdi", {}, nameOf(image.member)), " → ", element("bdi", { class: "some" }, nameOf(image.seen)));
    return [pair, element("span", {}, percentOf(image.wrong))];
  }
  return [element("b", {}, element("bdi", {}, nameOf(image.member))), element("span", {}, score(image.score))];
}

function cardOf(item, place) {
  const { image, other } = item;
  const shown = other ? [other, image] : [image];
  const pictures = shown.map((one) => element("span", { class: `picture ${looks(one)}` }, thumbnail(one)));
  const open = element(
    "button",
    { type: "button", class: "open", "aria-label": `${image.path}, ${told(item)}`, tabindex: place === state.current ? 0 : -1, onclick: () => openBox(place) },
    ...pictures,
  );
  const card = element("li", {}, open, element("p", { class: "caption" }, ...caption(item)));
  if (state.view === "suspects") card.append(markButtons(image));
  open.addEventListener("focus", () => setCurrent(place));
  card.dataset.place = place;
  showMark(card, image);
  return card;
}

function showGrid() {
  const first = Math.floor(state.current / PER_PAGE) * PER_PAGE;
  const page = found.slice(first, first + PER_PAGE);
  const grid = byId("grid");
  grid.classList.toggle("pairs", state.view === "duplicates");
  grid.replaceChildren(...page.map((item, i) => cardOf(item, first + i)));
  if (!page.length) grid.append(element("li", { class: "none" }, "No images."));
  byId("place").textContent = found.length ? `${grouped(first + 1)} to ${grouped(first + page.length)} of ${grouped(found.length)}` : "";
  byId("pages").hidden = found.length <= PER_PAGE;
  byId("previous").disabled = first === 0;
  byId("next").disabled = first + PER_PAGE >= found.length;
}

const openerOf = (place) => document.querySelector(`#grid [data-place="${place}"] .open`);

function setCurrent(place) {
  const before = openerOf(state.current);
  if (before) before.tabIndex = -1;
  state.current = place;
  const now = openerOf(place);
  if (now) now.tabIndex = 0;
}

function goTo(place, focus = true) {
  if (place < 0 || place >= found.length) return;
  if (Math.floor(place / PER_PAGE) !== Math.floor(state.current / PER_PAGE)) {
    state.current = place;
    showGrid();
  }
  setCurrent(place);
  if (focus) openerOf(place).focus();
}

function turn(by) {
  const first = Math.floor(state.current / PER_PAGE) * PER_PAGE;
  state.current = Math.max(0, Math.min(found.length - 1, first + by * PER_PAGE));
  showGrid();
  byId("images").scrollIntoView();
}

// ---- Controls

for (const [view, [title]] of Object.entries(VIEWS)) {
  if (view === "suspects" && !("wrong" in columns)) continue;
  const count = element("span", {}, grouped(items[view].length));
  byId("views").append(element("button", { type: "button", "data-view": view, onclick: () => setView(view) }, `${title} `, count));
}
const options = (list, id) => list.forEach(([value, text]) => byId(id).append(element("option", { value }, text)));
options([...new Set(listed.map((one) => one.member))].sort((a, b) => a - b).map((member) => [member, nameOf(member)]), "class");
options(Object.entries(SORTS).map(([key, [title]]) => [key, title]), "sort");
const pairCounts = new Map([["", items.suspects.length]]);
for (const item of items.suspects) pairCounts.set(pairOf(item), (pairCounts.get(pairOf(item)) || 0) + 1);
const pairTitle = (key) => (key ? key.split(" ").map(Number).map(nameOf).join(" → ") : "all");
options([...pairCounts].sort((a, b) => b[1] - a[1]).map(([key, count]) => [key, `${pairTitle(key)} (${count})`]), "pair");

for (const [id, change] of [
  ["class", (value) => (state.member = Number(value))],
  ["pair", (value) => (state.pair = value)],
  ["sort", (value) => (state.sort = value)],
]) {
  byId(id).addEventListener("change", (event) => {
    change(event.target.value);
    filter();
  });
}
byId("previous").addEventListener("click", () => turn(-1));
byId("next").addEventListener("click", () => turn(1));
for (const link of document.querySelectorAll("a[data-view]")) {
  link.addEventListener("click", () => (link.dataset.view === "classes" ? sortBy("share", true) : setView(link.dataset.view)));
}
for (const strip of document.querySelectorAll(".strip")) {
  const shown = strip.dataset.pictures.split(" ").map((at) => itemOf(data.images[at]));
  const opener = ({ image }, i) =>
    element("button", { type: "button", "aria-label": `${image.path}, ${told({ image })}`, onclick: () => openBox(i, shown) }, element("span", { class: "picture" }, thumbnail(image)));
  strip.append(...shown.map(opener));
}

// ---- Card with the image under the pointer

const card = byId("card");

function showCard(image, x, y) {
  const picture = data.pictures[image.at] ? [thumbnail(image)] : [];
  const lines = [element("p", {}, element("bdi", {}, image.path)), element("p", { class: "fine" }, told({ image }))];
  card.replaceChildren(...picture, ...lines);
  card.hidden = false;
  const { width, height } = card.getBoundingClientRect();
  const left = x + 16 + width > innerWidth ? x - 16 - width : x + 16;
  card.style.left = `${Math.max(8, Math.min(left, innerWidth - width - 8))}px`;
  card.style.top = `${Math.max(8, Math.min(y + 12, innerHeight - height - 8))}px`;
}

const hideCard = () => (card.hidden = true);
addEventListener("scroll", hideCard, { passive: true });
addEventListener("keydown", (event) => event.key === "Escape" && hideCard());
