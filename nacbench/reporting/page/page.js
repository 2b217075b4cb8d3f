"use strict";
// Everything that is shown is set as text, never as HTML: names in records may be anything.
const data = JSON.parse(document.getElementById("data").textContent);
const board = document.getElementById("board");
const bodies = [...board.tBodies];
const heads = [...board.tHead.rows[0].cells].slice(1);
const search = document.getElementById("search");
const selects = [...document.querySelectorAll("[data-filter]")];

function make(tag, text, parent) {
  const element = document.createElement(tag);
  if (text !== null) element.textContent = text;
  parent.append(element);
  return element;
}

function compare(a, b) {
  if (a === b) return 0;
  if (a === null) return 1;
  if (b === null) return -1;
  return typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b));
}

function sortBy(column) {
  const head = heads[column];
  const ascending = head.getAttribute("aria-sort") !== "ascending";
  for (const other of heads) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", ascending ? "ascending" : "descending");
  const value = (body) => data.rows[body.dataset.row].sort[column];
  const ordered = [...bodies].sort((a, b) => {
    const [x, y] = [value(a), value(b)];
    return x === null || y === null ? compare(x, y) : (ascending ? 1 : -1) * compare(x, y);
  });
  for (const body of ordered) board.append(body);
}

function filter() {
  const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  let shown = 0;
  for (const body of bodies) {
    const row = data.rows[body.dataset.row];
    const text = body.rows[0].textContent.toLowerCase();
    const fits = words.every((word) => text.includes(word)) && selects.every((own) => !own.value || row.filter[own.dataset.filter] === own.value);
    body.hidden = !fits;
    shown += fits;
  }
  document.getElementById("shown").textContent = `${shown} of ${bodies.length} rows`;
}

function open(button) {
  const body = button.closest("tbody");
  const details = body.rows[1];
  const wasOpen = button.getAttribute("aria-expanded") === "true";
  button.setAttribute("aria-expanded", String(!wasOpen));
  button.textContent = wasOpen ? "+" : "−";
  details.hidden = wasOpen;
  const cell = details.cells[0];
  if (!cell.hasChildNodes()) fill(cell, data.rows[body.dataset.row]);
}

function fill(cell, row) {
  const list = make("table", null, cell);
  const head = make("tr", null, make("thead", null, list));
  for (const name of data.run_columns) make("th", name, head).scope = "col";
  const body = make("tbody", null, list);
  for (const run of row.runs) {
    const line = make("tr", null, body);
    for (const value of run) make("td", value === null ? "—" : String(value), line);
  }
  if (row.settings !== null) {
    make("p", "All that the number depends on but the seed:", cell);
    make("pre", JSON.stringify(row.settings, null, 2), cell).tabIndex = 0;
  }
}

function download(kind) {
  const visible = bodies.map((body) => Number(body.dataset.row)).filter((_, position) => !bodies[position].hidden);
  // As in our own CSV files: a spreadsheet must not take text for a formula, and numbers stay numbers.
  const guarded = (value) => (typeof value === "string" && /^'* *[=+\-@\uff0b\uff0d\uff1d\uff20]/.test(value) && Number.isNaN(Number(value)) ? `'${value}` : value);
  const quote = (value) => `"${String(value === null ? "" : guarded(value)).replaceAll('"', '""')}"`;
  const csv = () => [data.columns, ...visible.map((number) => data.rows[number].sort)].map((line) => line.map(quote).join(",")).join("\n");
  const text = kind === "csv" ? csv() : JSON.stringify(visible.map((number) => data.rows[number]), null, 2);
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: kind === "csv" ? "text/csv" : "application/json" }));
  link.download = `leaderboard.${kind}`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

for (const button of board.querySelectorAll("[data-sort]")) button.addEventListener("click", () => sortBy(Number(button.dataset.sort)));
for (const button of board.querySelectorAll(".open")) button.addEventListener("click", () => open(button));
for (const button of document.querySelectorAll("[data-download]")) button.addEventListener("click", () => download(button.dataset.download));
for (const select of selects) select.addEventListener("change", filter);
search.addEventListener("input", filter);
document.getElementById("filters").addEventListener("submit", (event) => event.preventDefault());
document.getElementById("theme").addEventListener("click", () => {
  const root = document.documentElement;
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
});
filter();
