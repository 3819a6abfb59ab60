"use strict";
// Data of the page, small helpers, the theme, and buttons that copy.

const data = JSON.parse(document.getElementById("data").textContent);
const records = (columns) =>
  Object.values(columns)[0].map((_, i) => Object.fromEntries(Object.entries(columns).map(([key, column]) => [key, column[i]])));
data.classes = records(data.classes);

const byId = (id) => document.getElementById(id);
const grouped = (number) => number.toLocaleString("en-US");
const plural = (number, one) => `${grouped(number)} ${number === 1 ? one : `${one}s`}`;

// As many decimals for all scores, so that they align.
const widest = Math.max(...data.classes.flatMap((one) => [Math.abs(one.low), Math.abs(one.high)]), 1e-9);
const decimals = Math.max(0, Math.min(6, 2 - Math.floor(Math.log10(widest))));
const score = (number) => (widest < 1e4 ? number.toFixed(decimals) : grouped(Math.round(number)));

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key === "class") made.className = value;
    else if (key === "style") Object.assign(made.style, value);
    else if (key === "onclick") made.addEventListener("click", value);
    else made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
}

// ---- What the browser keeps

function remembered(key) {
  try {
    return localStorage.getItem(key);
  } catch {
    return null; // some browsers store nothing for pages on disk
  }
}

function remember(key, value) {
  try {
    localStorage.setItem(key, value);
  } catch {
    // It lasts until the page is closed.
  }
}

// ---- Theme

const systemDark = matchMedia("(prefers-color-scheme: dark)");

function showTheme(theme) {
  document.documentElement.dataset.theme = theme;
  byId("theme").textContent = theme === "dark" ? "Light theme" : "Dark theme";
}

function setTheme(theme) {
  showTheme(theme);
  drawCharts();
}

showTheme(remembered("moderate-theme") || (systemDark.matches ? "dark" : "light"));
systemDark.addEventListener("change", (event) => {
  if (!remembered("moderate-theme")) setTheme(event.matches ? "dark" : "light");
});
byId("theme").addEventListener("click", () => {
  const theme = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
  remember("moderate-theme", theme);
  setTheme(theme);
});

// ---- Copying

async function copy(button) {
  const code = button.parentNode.querySelector("code");
  try {
    await navigator.clipboard.writeText(code.textContent);
    button.textContent = "Copied";
  } catch {
    getSelection().selectAllChildren(code); // to be copied by the keyboard
    button.textContent = "Selected";
  }
  setTimeout(() => (button.textContent = "Copy"), 1500);
}

for (const button of document.querySelectorAll(".copy")) button.addEventListener("click", () => copy(button));
