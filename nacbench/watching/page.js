// Everything that is shown is set as text, never as HTML: names in files may be anything.
const given = JSON.parse(document.getElementById("data").textContent);
const STATES = ["running", "failed", "lost", "unreadable", "unknown", "preempted", "queued", "planned", "done", "cancelled", "skipped", "no data"];
const PAGE = 200; // rows that are shown at first; more would make the page slow
const COLUMNS = [
  ["", null], ["run", (row) => named(row)], ["task", (row) => taskOf(row)], ["seed", (row) => row.seed], ["state", (row) => STATES.indexOf(row.state)],
  ["progress", (row) => share(row)], ["loss", (row) => row.loss], ["validation", (row) => row.check], ["score", (row) => row.order],
  ["time", (row) => elapsed(row)], ["left", (row) => left(row)], ["remarks", (row) => row.why],
];
const NUMBERS = ["seed", "loss", "validation", "score", "time", "left"];
const rows = new Map(); // by number of run
const lines = new Map(); // rows of the table by number of run
const curves = new Map(); // by number of run
let [looks, version, session, clock, failures] = [{}, 0, "", 0, 0];
const view = new URLSearchParams(location.hash.slice(1)); // what is chosen survives that the page is loaded again
let selected = new Set(view.getAll("run"));
let [sorted, ascending, most] = [Number(view.get("sort") ?? -1), view.get("up") !== "0", PAGE];
const find = (name) => document.getElementById(name);

function make(tag, text, parent) {
  const element = document.createElement(tag);
  if (text !== null) element.textContent = text;
  parent.append(element);
  return element;
}

const named = (row) => [row.label, row.variant].filter(Boolean).join(", ");
const taskOf = (row) => (row.scale ? `${row.task} · ${row.scale}` : row.task);
const keyOf = (row) => row.place || `${row.n}`;
const now = () => (given.changes ? given.changes.now : Date.now() / 1000 + clock);
const share = (row) => (row.state === "done" ? 1 : row.step && row.steps ? Math.min(1, row.step / row.steps) : null);
const elapsed = (row) => (row.since ? Math.max(0, now() - row.since) : row.elapsed);
const left = (row) => (row.ends ? Math.max(0, row.ends - now()) : row.state === "running" ? null : row.expected);

function time(seconds) {
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes} min${whole % 60 ? ` ${whole % 60} s` : ""}`;
  return `${Math.floor(minutes / 60).toLocaleString("en")} h ${minutes % 60} min`;
}

// -- table

function cell(line, head, name, text) {
  const element = make("td", text, line);
  if (head) element.dataset.head = head;
  element.className = name;
  return element;
}

function fill(line, row) {
  line.replaceChildren();
  const tick = make("input", null, cell(line, "", "pick", null));
  tick.type = "checkbox";
  tick.checked = selected.has(keyOf(row));
  tick.setAttribute("aria-label", `Draw only selected runs: ${named(row)}, ${row.task}, seed ${row.seed}`);
  tick.addEventListener("change", () => select(row, tick.checked));
  const model = cell(line, "", "model", null);
  swatch(row, model);
  model.append(` ${row.label} `);
  if (row.variant) make("span", row.variant, model).className = "variant";
  model.title = row.place;
  cell(line, "task", "task", taskOf(row));
  cell(line, "seed", "number", row.seed === null ? "" : String(row.seed));
  const state = cell(line, "", "", null);
  make("span", row.state + (row.attempts > 1 ? ` (attempt ${row.attempts})` : ""), state).className = `state ${row.state.replace(" ", "-")}`;
  progress(cell(line, "", "progress", null), row);
  cell(line, "loss", "number", row.loss === null ? "" : row.loss.toFixed(3));
  cell(line, "validation", "number", row.check || "");
  cell(line, "score", "number score", row.score || "");
  cell(line, "time", "number time", "");
  cell(line, "left", "number left", "");
  cell(line, "", "why", row.why);
  times(line, row);
}

function progress(parent, row) {
  const part = share(row);
  if (part === null || row.state === "done") return;
  const bar = make("progress", null, parent);
  [bar.max, bar.value] = [1, part];
  const epochs = row.epochs ? ` ${Number((part * row.epochs).toFixed(1))}/${row.epochs} epochs` : ` ${row.step.toLocaleString("en")}/${row.steps.toLocaleString("en")}`;
  bar.setAttribute("aria-label", `${Math.round(100 * part)} %`);
  parent.append(epochs);
  parent.title = `step ${row.step} of ${row.steps}`;
}

// Set what changes with time alone.
function times(line, row) {
  const [spent, ahead] = [elapsed(row), left(row)];
  line.querySelector(".time").textContent = spent === null || spent === undefined ? "" : time(spent);
  const scoring = row.state === "running" && share(row) === 1;
  line.querySelector(".left").textContent = scoring ? "scoring" : ahead === null || ahead === undefined ? "" : `about ${time(ahead)}`;
}

function fits(row, words, states) {
  if (states.length && !states.includes(row.state)) return false;
  if (!words.length) return true;
  const text = [named(row), taskOf(row), row.state, row.why, row.place, `seed=${row.seed}`].join(" ").toLowerCase();
  return words.every((word) => text.includes(word));
}

function compare(a, b) {
  const value = COLUMNS[sorted]?.[1];
  if (value) {
    const [x, y] = [value(a) ?? null, value(b) ?? null];
    if (x === null || y === null) return (x === null) - (y === null);
    const order = typeof x === "number" ? x - y : String(x).localeCompare(String(y));
    if (order) return ascending ? order : -order;
  }
  return STATES.indexOf(a.state) - STATES.indexOf(b.state) || (b.when ?? 0) - (a.when ?? 0) || a.n - b.n;
}

function chosen() {
  const words = find("search").value.toLowerCase().split(/\s+/).filter(Boolean);
  return [...rows.values()].filter((row) => fits(row, words, view.getAll("state"))).sort(compare);
}

function show() {
  const found = chosen();
  const body = find("runs").tBodies[0];
  const wanted = found.slice(0, most).map((row) => {
    let line = lines.get(row.n);
    if (!line) lines.set(row.n, (line = document.createElement("tr")));
    if (line.row !== row) fill(line, row);
    line.row = row;
    return line;
  });
  // only if the order has changed: what has the focus would lose it
  if (wanted.length !== body.rows.length || wanted.some((line, index) => body.rows[index] !== line)) body.replaceChildren(...wanted);
  find("more").hidden = found.length <= most;
  find("shown").textContent = rows.size ? `${wanted.length.toLocaleString("en")} of ${rows.size.toLocaleString("en")} runs are shown.` : "No run yet: this page fills once runs begin.";
  find("none").hidden = !selected.size;
  [...find("runs").tHead.rows[0].cells].forEach((head, index) => (index === sorted ? head.setAttribute("aria-sort", ascending ? "ascending" : "descending") : head.removeAttribute("aria-sort")));
  showChips();
  showTotal();
  showCurves(found);
  remember();
}

function showChips() {
  const chips = find("chips");
  const counts = new Map();
  for (const row of rows.values()) counts.set(row.state, (counts.get(row.state) || 0) + 1);
  const states = STATES.filter((state) => counts.has(state) || view.getAll("state").includes(state));
  while (chips.childElementCount > states.length) chips.lastChild.remove();
  states.forEach((state, index) => {
    const chip = chips.children[index] || make("button", null, chips);
    chip.type = "button";
    chip.textContent = `${state} ${(counts.get(state) || 0).toLocaleString("en")}`;
    chip.setAttribute("aria-pressed", view.getAll("state").includes(state));
    chip.onclick = () => {
      const others = view.getAll("state").filter((own) => own !== state);
      const next = view.getAll("state").includes(state) ? others : [...others, state];
      view.delete("state");
      for (const own of next) view.append("state", own);
      show();
    };
  });
}

function showTotal() {
  const open = [...rows.values()].filter((row) => ["running", "queued", "preempted", "planned", "lost"].includes(row.state));
  const known = open.map((row) => left(row) ?? row.expected).filter((one) => one !== null && one !== undefined);
  const seconds = known.reduce((sum, one) => sum + one, 0);
  const running = open.filter((row) => row.state === "running").length;
  const parts = [];
  if (known.length) parts.push(`about ${time(seconds)} of computing left`);
  if (known.length && running > 1) parts.push(`${time(seconds / running)} with ${running} at a time`);
  const others = open.length - known.length;
  if (others) parts.push(`no estimate for ${others} ${others === 1 ? "run" : "runs"}`);
  find("total").textContent = parts.length ? `· ${parts.join(", ")}` : "";
}

// -- curves

function showTasks() {
  const menu = find("task");
  const names = [...new Set([...rows.values()].map(taskOf))].sort();
  const wanted = view.get("task");
  if ([...menu.options].map((own) => own.value).join("\n") !== names.join("\n")) {
    menu.replaceChildren();
    for (const name of names) make("option", name, menu).value = name;
  }
  const best = [...rows.values()].filter((row) => row.curve).sort((a, b) => (b.state === "running") - (a.state === "running") || (b.when ?? 0) - (a.when ?? 0))[0];
  if (names.includes(wanted)) menu.value = wanted;
  else if (best) menu.value = taskOf(best);
}

function toDraw(found) {
  const own = found.filter((row) => row.curve && taskOf(row) === find("task").value);
  const picked = [...rows.values()].filter((row) => row.curve && selected.has(keyOf(row)) && taskOf(row) === find("task").value);
  const among = picked.length ? picked : own;
  const latest = [...among].sort((a, b) => (b.state === "running") - (a.state === "running") || (b.when ?? 0) - (a.when ?? 0));
  return [latest.slice(0, MOST_CURVES), among.length, picked.length > 0];
}

let shownCurves = "";
async function showCurves(found) {
  showTasks();
  const [due, all, picked] = toDraw(found);
  const missing = due.filter((row) => curves.get(row.n)?.stamp !== row.curve).map((row) => row.n);
  if (missing.length && !given.changes) {
    const asked = session;
    const got = await ask(`curves?runs=${missing.join(",")}`).catch(() => ({}));
    if (asked !== session) return;
    for (const [number, curve] of Object.entries(got)) curves.set(Number(number), curve);
  }
  find("drawn").textContent = due.length < all ? `The latest ${due.length} of ${all} runs are drawn; select some to choose.` : picked ? `${all} selected` : "";
  const state = JSON.stringify([due.map((row) => [row.n, row.dash, named(row), curves.get(row.n)?.stamp]), find("log").checked, find("charts").clientWidth]);
  if (state === shownCurves) return;
  shownCurves = state;
  drawCharts(due, curves, find("log").checked);
}

// -- what is chosen

function select(row, on) {
  if (on) selected.add(keyOf(row));
  else selected.delete(keyOf(row));
  if (on) view.set("task", taskOf(row));
  show();
}

function remember() {
  view.delete("run");
  for (const key of selected) view.append("run", key);
  const text = view.toString();
  if (text !== location.hash.slice(1)) history.replaceState(null, "", `#${text}`);
}

// -- news

async function ask(path) {
  const answer = await fetch(path, { cache: "no-store" });
  if (!answer.ok) throw new Error(`status ${answer.status}`);
  return answer.json();
}

function take(news) {
  if (news.session !== session) {
    for (const known of [rows, lines, curves]) known.clear();
    [session, shownCurves] = [news.session, ""];
  }
  [version, clock] = [news.version, news.now - Date.now() / 1000];
  looks = news.looks;
  for (const row of news.rows) rows.set(row.n, row);
  for (const number of news.gone) [rows, lines, curves].forEach((known) => known.delete(number));
  find("title").textContent = news.title;
  const list = find("problems");
  list.replaceChildren();
  for (const problem of news.problems.slice(0, 5)) make("p", `Warning: ${problem}`, list).className = "warning";
  if (news.problems.length > 5) make("p", `and ${news.problems.length - 5} more warnings`, list).className = "note";
}

function tell(text, bad) {
  find("news").textContent = text;
  find("news").className = bad ? "note warning" : "note";
}

async function poll() {
  try {
    const news = await ask(`changes?session=${session}&since=${version}`);
    const quiet = news.session === session && !news.rows.length && !news.gone.length;
    take(news);
    if (!quiet || !find("shown").textContent) show();
    failures = 0;
    tell(`Looked at ${new Date().toLocaleTimeString()}; files only, Slurm is not asked.`, false);
  } catch (error) {
    failures += 1;
    tell(`nacbench watch does not answer (${error.message}); what is shown may be old.`, true);
  }
  setTimeout(poll, given.every * 1000 * (document.hidden ? 5 : 1));
}

function standing() {
  take(given.changes);
  for (const [number, curve] of Object.entries(given.curves)) curves.set(Number(number), curve);
  const when = new Date(given.changes.now * 1000).toLocaleString();
  const old = Date.now() / 1000 - given.changes.now > 10 * given.every + 30;
  tell(given.over ? `As of ${when}; nacbench watch has ended.` : `As of ${when}${old ? "; this file is no longer written" : ""}.`, old && !given.over);
  show();
  if (!given.over) setTimeout(() => location.reload(), given.every * 1000);
}

COLUMNS.forEach(([name], index) => {
  const head = make("th", null, find("runs").tHead.rows[0]);
  head.scope = "col";
  if (NUMBERS.includes(name)) head.className = "number";
  if (!index) return void (make("span", "Draw", head).className = "hidden");
  const button = make("button", name, head);
  button.type = "button";
  button.addEventListener("click", () => {
    [ascending, sorted] = [sorted === index ? !ascending : true, index];
    view.set("sort", index);
    view.set("up", ascending ? "1" : "0");
    show();
  });
});
find("search").value = view.get("q") || "";
find("log").checked = view.get("log") === "1";
find("search").addEventListener("input", () => {
  view.set("q", find("search").value);
  show();
});
find("log").addEventListener("change", () => {
  view.set("log", find("log").checked ? "1" : "0");
  show();
});
find("task").addEventListener("change", () => {
  view.set("task", find("task").value);
  show();
});
find("more").addEventListener("click", () => {
  most *= 3;
  show();
});
find("none").addEventListener("click", () => {
  selected = new Set();
  for (const tick of document.querySelectorAll(".pick input")) tick.checked = false;
  show();
});
for (const form of document.forms) form.addEventListener("submit", (event) => event.preventDefault());
addEventListener("resize", () => show());
setInterval(() => {
  for (const line of find("runs").tBodies[0].rows) if (line.row.since) times(line, line.row);
  showTotal();
}, 1000);
if (given.changes) standing();
else poll();
