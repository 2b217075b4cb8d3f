"use strict";
// Charts of the curves: loss, the score on the split that is scored during training, learning rate.
const SVG = "http://www.w3.org/2000/svg";
const MOST_CURVES = 60;
const CHARTS = [["loss", "training loss"], ["check", "score during training"], ["rate", "learning rate"]];
// Markers by matplotlib's names, in a square from -1 to 1.
const SHAPES = {
  s: "M-.8-.8H.8V.8H-.8Z", "^": "M0-1L1 .8H-1Z", v: "M0 1L1-.8H-1Z", "<": "M-1 0L.8-1V1Z", ">": "M1 0L-.8-1V1Z",
  D: "M0-1.1L1.1 0 0 1.1-1.1 0Z", d: "M0-1.1L.7 0 0 1.1-.7 0Z",
  P: "M-.35-1H.35V-.35H1V.35H.35V1H-.35V.35H-1V-.35H-.35Z",
  X: "M-.5-1L0-.5 .5-1 1-.5 .5 0 1 .5 .5 1 0 .5-.5 1-1 .5-.5 0-1-.5Z",
  "*": "M0-1.1L.27-.35 1.05-.34 .43.13 .65.9 0 .45-.65.9-.43.13-1.05-.34-.27-.35Z",
  p: "M0-1L.95-.31 .59.81H-.59L-.95-.31Z", h: "M0-1L.87-.5V.5L0 1-.87.5V-.5Z", 8: "M-.4-1H.4L1-.4V.4L.4 1H-.4L-1 .4V-.4Z",
};
const CIRCLE = "M1 0A1 1 0 1 1-1 0 1 1 0 1 1 1 0Z";
let drawnLines = []; // of each chart: its lines with their points in pixels

function draw(tag, attributes, parent) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  parent.append(element);
  return element;
}

function colourOf(row) {
  return (looks[row.model] || {}).colour || "currentColor";
}

function marker(row, x, y, size, parent) {
  const shape = SHAPES[(looks[row.model] || {}).marker] || CIRCLE;
  return draw("path", { d: shape, transform: `translate(${x} ${y}) scale(${size})`, fill: colourOf(row), class: "point" }, parent);
}

function swatch(row, parent) {
  const svg = draw("svg", { class: "swatch", viewBox: "0 0 26 12", "aria-hidden": "true" }, parent);
  draw("path", { d: "M0 6H26", stroke: colourOf(row), "stroke-width": 1.6, "stroke-dasharray": row.dash }, svg);
  marker(row, 13, 6, 4, svg);
}

function extent(values) {
  let [low, high] = [Infinity, -Infinity];
  for (const value of values) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  if (low === high) return [low - (Math.abs(low) || 1) * 0.05, high + (Math.abs(high) || 1) * 0.05];
  return [low, high];
}

function ticks(low, high, count) {
  const rough = (high - low) / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].find((one) => one * power >= rough) * power;
  const found = [];
  for (let number = Math.ceil(low / step - 1e-9); number * step <= high + step * 1e-9; number++) found.push(number * step);
  return found;
}

function logTicks(low, high) {
  const found = [];
  for (let power = Math.floor(low); power <= Math.ceil(high); power++) {
    for (const digit of high - low < 2 ? [1, 2, 5] : [1]) found.push(power + Math.log10(digit));
  }
  return found.filter((value) => value >= low - 1e-9 && value <= high + 1e-9);
}

function short(value) {
  if (value === 0) return "0";
  const size = Math.abs(value);
  return size >= 1e5 || size < 1e-3 ? value.toExponential(1).replace(".0e", "e").replace("e+", "e") : String(Number(value.toPrecision(4)));
}

// Draw one chart of some lines ({row, points}), whose points are pairs of epoch and value.
function drawChart(holder, title, lines, logarithmic) {
  holder.querySelector("h3").textContent = title;
  const svg = holder.querySelector("svg");
  svg.replaceChildren();
  const [width, height] = [svg.clientWidth || 340, svg.clientHeight || 240];
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  const value = (y) => (logarithmic ? Math.log10(y) : y);
  const usable = lines.map(({ row, points }) => ({ row, points: points.filter(([, y]) => !logarithmic || y > 0) })).filter(({ points }) => points.length);
  if (!usable.length) {
    draw("text", { x: width / 2, y: height / 2, "text-anchor": "middle" }, svg).textContent = lines.length ? "no such points yet" : "no curve yet";
    return [];
  }
  const [left, right, top, bottom] = [52, 10, 8, 34];
  const all = usable.flatMap(({ points }) => points);
  const [fromX, toX] = [0, Math.max(...all.map(([x]) => x)) || 1];
  const [fromY, toY] = extent(all.map(([, y]) => value(y)));
  const x = (epoch) => left + ((epoch - fromX) / (toX - fromX)) * (width - left - right);
  const y = (one) => height - bottom - ((value(one) - fromY) / (toY - fromY)) * (height - top - bottom);
  for (const tick of logarithmic ? logTicks(fromY, toY) : ticks(fromY, toY, 5)) {
    const shown = logarithmic ? 10 ** tick : tick;
    draw("path", { d: `M${left} ${y(shown)}H${width - right}`, class: "grid" }, svg);
    draw("text", { x: left - 5, y: y(shown) + 4, "text-anchor": "end" }, svg).textContent = short(shown);
  }
  for (const tick of ticks(fromX, toX, width < 500 ? 5 : 8)) {
    draw("text", { x: x(tick), y: height - bottom + 15, "text-anchor": "middle" }, svg).textContent = short(tick);
  }
  draw("path", { d: `M${left} ${top}V${height - bottom}H${width - right}`, class: "axis" }, svg);
  draw("text", { x: (left + width - right) / 2, y: height - 3, "text-anchor": "middle" }, svg).textContent = "epoch";
  return usable.map(({ row, points }) => {
    const places = points.map(([epoch, one]) => [x(epoch), y(one), epoch, one]);
    const path = places.map(([px, py], index) => `${index ? "L" : "M"}${px.toFixed(1)} ${py.toFixed(1)}`).join("");
    draw("path", { d: path, class: "curve", stroke: colourOf(row), "stroke-dasharray": row.dash, "data-run": row.n }, svg);
    const [px, py] = places[places.length - 1];
    marker(row, px, py, 3.5, svg).dataset.run = row.n;
    return { row, places };
  });
}

// Draw all charts of the rows that are to be drawn; `curves` has their curves by number of run.
function drawCharts(rows, curves, logarithmic) {
  const charts = document.getElementById("charts");
  if (!charts.childElementCount) {
    CHARTS.forEach((_, index) => {
      const holder = make("div", null, charts);
      holder.className = "chart";
      make("h3", "", holder);
      const svg = draw("svg", { role: "img" }, holder);
      svg.addEventListener("pointermove", (event) => point(index, event));
      svg.addEventListener("pointerleave", () => choose(null));
    });
  }
  drawnLines = CHARTS.map(([kind, title], index) => {
    const lines = rows.filter((row) => curves.has(row.n)).map((row) => ({ row, points: curves.get(row.n)[kind] }));
    const headings = [...new Set(rows.map((row) => (curves.get(row.n) || {}).heading).filter(Boolean))];
    const shown = kind === "check" && headings.length ? headings.join(", ") : title;
    charts.children[index].querySelector("svg").setAttribute("aria-label", `${shown} against epochs, ${lines.length} runs`);
    return drawChart(charts.children[index], shown, lines, logarithmic && kind === "loss");
  });
  drawLegend(rows);
}

function drawLegend(rows) {
  const legend = document.getElementById("legend");
  legend.replaceChildren();
  const seen = new Map(rows.map((row) => [`${row.label}\n${row.variant}`, row]));
  for (const row of [...seen.values()].sort((a, b) => named(a).localeCompare(named(b))).slice(0, 24)) {
    const item = make("span", null, legend);
    swatch(row, item);
    item.append(named(row));
  }
  if (seen.size > 24) make("span", `and ${seen.size - 24} more`, legend);
}

// Find the nearest point of a chart, and read it out.
function point(index, event) {
  const svg = document.getElementById("charts").children[index].querySelector("svg");
  const box = svg.getBoundingClientRect();
  const [px, py] = [event.clientX - box.left, event.clientY - box.top];
  let [best, found] = [40 ** 2, null];
  for (const { row, places } of drawnLines[index] || []) {
    for (const place of places) {
      const distance = (place[0] - px) ** 2 + (place[1] - py) ** 2;
      if (distance < best) [best, found] = [distance, { row, place }];
    }
  }
  choose(found && found.row.n);
  svg.querySelector(".spot")?.remove();
  if (!found) return;
  draw("circle", { cx: found.place[0], cy: found.place[1], r: 5, class: "spot" }, svg);
  const { row, place } = found;
  document.getElementById("readout").textContent = `${named(row)}, seed ${row.seed ?? "?"} (${row.state}): ${short(place[3])} at epoch ${short(place[2])}`;
}

// Make the curves of one run stand out; of none, all are as they were.
function choose(number) {
  const charts = document.getElementById("charts");
  charts.classList.toggle("faint", number !== null);
  for (const own of charts.querySelectorAll("[data-run]")) own.classList.toggle("chosen", own.dataset.run === String(number));
}
