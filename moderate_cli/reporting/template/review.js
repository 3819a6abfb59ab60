"use strict";
// Reviewing images: the lightbox, marks with corrected labels, the keyboard, and the CSV of marks.

// ---- Marks: path -> position of the right class; OUT leaves the image out

const OUT = -1;
const MOST_CHOICES = 1000; // classes to choose from
const MARKS = `moderate-marks-${data.key}`;
const keyOf = (image) => exactPaths[image.at] ?? image.path;
// Kept by name: positions of classes may differ on the next page of the dataset.
const wholeName = (member) => (member === OUT ? "" : (data.exact[member] ?? nameOf(member)));
const memberOf = new Map([["", OUT], ...data.classes.map((_, member) => [wholeName(member), member])]);
const marks = {};
try {
  for (const [key, name] of Object.entries(JSON.parse(remembered(MARKS)) || {})) {
    if (memberOf.has(name)) marks[key] = memberOf.get(name);
  }
} catch {
  // Damaged: begin anew.
}

function keepMarks() {
  remember(MARKS, JSON.stringify(Object.fromEntries(Object.entries(marks).map(([key, member]) => [key, wholeName(member)]))));
  showMarks();
}

const known = (member) => data.exact[member] !== ""; // whether its whole name is on the page

const answers = (image) => [
  ...(image.suspect && known(image.seen) ? [["y", "Yes", image.seen, `The label is wrong; it is ${nameOf(image.seen)}`]] : []),
  ...(known(image.member) ? [["n", "No", image.member, `The label ${nameOf(image.member)} is right`]] : []),
  ["x", "Out", OUT, "Leave this image out"],
];

function mark(image, label) {
  const key = keyOf(image);
  if (marks[key] === label) delete marks[key];
  else marks[key] = label;
  keepMarks();
}

function markButtons(image) {
  const buttons = answers(image).map(([, text, label, title]) =>
    element("button", { type: "button", tabindex: -1, title, "aria-label": title, "data-label": label, onclick: () => mark(image, label) }, text),
  );
  return element("div", { class: "answers" }, ...buttons);
}

function showMark(holder, image) {
  const label = marks[keyOf(image)];
  holder.classList.toggle("marked", label !== undefined);
  for (const button of holder.querySelectorAll("[data-label]")) button.setAttribute("aria-pressed", String(Number(button.dataset.label) === label));
}

function showMarks() {
  const count = Object.keys(marks).length;
  byId("marks").hidden = count === 0;
  byId("marked").textContent = `${plural(count, "image")} marked`;
  for (const holder of document.querySelectorAll("#grid [data-place]")) showMark(holder, found[holder.dataset.place].image);
  if (box.open) showBoxMarks();
}

byId("clear").addEventListener("click", () => {
  if (!confirm("Remove all marks?")) return;
  for (const key of Object.keys(marks)) delete marks[key];
  keepMarks();
});

// ---- CSV: path,given,label,probability; an empty label leaves the image out; earlier corrections follow

const bytes = (text, base64) => (base64 === undefined ? new TextEncoder().encode(text) : Uint8Array.from(atob(base64), (char) => char.charCodeAt(0)));
const QUOTE = 34;

function field(raw) {
  if (!raw.some((byte) => [10, 13, 44, QUOTE].includes(byte))) return [...raw];
  return [QUOTE, ...[...raw].flatMap((byte) => (byte === QUOTE ? [QUOTE, QUOTE] : [byte])), QUOTE];
}

function csv() {
  const before = new Map((data.corrected || []).map((row) => row.map((cell) => bytes("", cell))).map((row) => [String(row[0]), row]));
  const none = new Uint8Array();
  const className = (member) => (member === OUT ? none : bytes(nameOf(member), data.exact[member]));
  const comma = bytes(","), end = bytes("\n");
  const lines = [...bytes("path,given,label,probability\n")];
  const add = (fields) => {
    fields.forEach((raw, i) => {
      for (const byte of [...(i ? comma : []), ...field(raw)]) lines.push(byte);
    });
    for (const byte of end) lines.push(byte);
  };
  for (const image of data.images) {
    const label = marks[keyOf(image)];
    if (label === undefined) continue;
    const probability = image.wrong === undefined ? "" : String(image.wrong);
    const path = bytes(image.path, exactPaths[image.at]);
    const given = before.get(String(path))?.[1] || className(image.member);
    before.delete(String(path));
    add([path, given, className(label), bytes(probability)]);
  }
  for (const row of before.values()) add([...row, none]);
  return new Uint8Array(lines);
}

byId("export").addEventListener("click", () => {
  const address = URL.createObjectURL(new Blob([csv()], { type: "text/csv" }));
  element("a", { href: address, download: "corrected.csv" }).click();
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
});

// ---- Lightbox

const box = byId("lightbox");
let boxItems = [];
let boxAt = 0;

function openBox(place, list = found) {
  boxItems = list;
  boxAt = place;
  hideCard();
  showBox();
  if (!box.open) box.showModal();
}

function showBox() {
  const item = boxItems[boxAt];
  const { image, other } = item;
  const shown = other ? [other, image] : [image];
  byId("box-title").textContent = other ? "Near duplicates" : nameOf(image.member);
  byId("stage").replaceChildren(...shown.map((one) => element("span", { class: `picture ${looks(one)}` }, thumbnail(one))));
  byId("box-facts").textContent = told(item);
  byId("box-path").textContent = shown.map((one) => one.path).join("\n");
  byId("box-place").textContent = `${grouped(boxAt + 1)} of ${grouped(boxItems.length)}`;
  byId("box-previous").disabled = boxAt === 0;
  byId("box-next").disabled = boxAt === boxItems.length - 1;
  showBoxMarks();
}

function boxMarksOf(image, isPair) {
  if (!listed[image.at]) return ""; // on the map only
  const label = marks[keyOf(image)];
  const buttons = answers(image).map(([key, text, value, title]) =>
    element("button", { type: "button", title, "aria-pressed": String(value === label), onclick: () => mark(image, value) }, isPair ? text : `${text} (${key})`),
  );
  const chooser = element("select", {}, element("option", { value: "" }, label === OUT ? "left out" : "not marked"));
  data.classes.slice(0, MOST_CHOICES).forEach((one, i) => known(i) && chooser.append(element("option", { value: i }, one.name)));
  chooser.value = label === undefined || label === OUT ? "" : String(label);
  chooser.addEventListener("change", () => chooser.value !== "" && mark(image, Number(chooser.value)));
  return element("p", { class: "pick" }, ...buttons, element("label", {}, isPair ? `Right class of ${nameOf(image.member)} ` : "Right class ", chooser));
}

function showBoxMarks() {
  const { image, other } = boxItems[boxAt];
  const held = document.activeElement?.textContent; // a button that is drawn anew keeps the focus
  const inside = byId("box-marks").contains(document.activeElement);
  const shown = other ? [other, image] : [image];
  byId("box-marks").replaceChildren(...shown.map((one) => boxMarksOf(one, Boolean(other))));
  if (inside) [...byId("box-marks").querySelectorAll("button")].find((one) => one.textContent === held)?.focus();
}

function stepBox(by) {
  if (!boxItems[boxAt + by]) return;
  boxAt += by;
  if (boxItems === found) goTo(boxAt, false);
  showBox();
}

box.addEventListener("close", () => boxItems === found && openerOf(state.current)?.focus());
box.addEventListener("click", (event) => event.target === box && box.close());
byId("box-close").addEventListener("click", () => box.close());
byId("box-previous").addEventListener("click", () => stepBox(-1));
byId("box-next").addEventListener("click", () => stepBox(1));

// ---- Keyboard

const MOVES = { j: 1, k: -1, ArrowRight: 1, ArrowLeft: -1 };

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, select, textarea")) return;
  const inGrid = event.target.closest("#grid");
  const move = MOVES[event.key];
  const letter = event.key.length === 1;
  if (move && (box.open || inGrid || letter)) {
    event.preventDefault();
    if (box.open) stepBox(move);
    else goTo(inGrid ? state.current + move : state.current);
  } else if (box.open || inGrid) {
    const item = box.open ? boxItems[boxAt] : found[state.current];
    const answer = item && !item.other && listed[item.image.at] && answers(item.image).find(([key]) => key === event.key);
    if (!answer) return;
    const undone = marks[keyOf(item.image)] === answer[2];
    mark(item.image, answer[2]);
    if (undone) return;
    if (box.open) stepBox(1);
    else goTo(state.current + 1);
  }
}

document.addEventListener("keydown", onKey);

setView(items.suspects.length ? "suspects" : "all");
showMarks();
