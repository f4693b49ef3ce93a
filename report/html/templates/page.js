// SPDX-License-Identifier: Apache-2.0
"use strict";
(() => {
  const root = document.documentElement;
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const data = JSON.parse(document.getElementById("data").textContent);
  const tip = document.getElementById("tip");
  const hidden = new Set();
  root.classList.add("js");

  // Curves: a panel shows all multipliers at the eps nearest to the pointer.
  const [EPS, RIGHT, LOW, HIGH, X, Y] = [0, 1, 2, 3, 4, 5];

  function line(panel, k, point, near) {
    const row = document.createElement("div");
    const cell = (text, kind) => {
      const span = document.createElement("span");
      span.className = kind;
      span.textContent = text;
      row.append(span);
    };
    row.className = near ? "near" : "";
    row.append(document.querySelector(`[data-toggle="${k}"] .swatch`).cloneNode(true));
    cell(data.labels[k], "who");
    cell(((100 * point[RIGHT]) / data.samples).toFixed(1) + " %", "value");
    cell(`${point[LOW].toFixed(1)}–${point[HIGH].toFixed(1)}`, "range");
    return row;
  }

  function read(svg, column, k) {
    const panel = data.panels[svg.dataset.panel];
    const at = panel.curves
      .filter(([number]) => !hidden.has(number))
      .map(([number, points]) => [number, points.find((point) => point[EPS] === column)])
      .filter(([, point]) => point);
    if (!at.length) return leave(svg);
    const [chosen, point] = at.find(([number]) => number === k) || at[0];
    svg.classList.add("reading");
    for (const curve of all(".curve", svg)) {
      curve.classList.toggle("near", Number(curve.dataset.k) === chosen);
    }
    const view = svg.viewBox.baseVal;
    svg.querySelector(".rule").setAttribute("d", `M${point[X]} 10V${view.height - 34}`);
    const ring = svg.querySelector("circle");
    ring.setAttribute("cx", point[X]);
    ring.setAttribute("cy", point[Y]);
    const title = document.createElement("b");
    title.textContent = `${panel.title}, eps ${point[EPS]}`;
    const foot = document.createElement("small");
    foot.textContent = `${data.labels[chosen]}: ${point[RIGHT]} of ${data.samples} images right`;
    const sorted = [...at].sort((a, b) => b[1][RIGHT] - a[1][RIGHT] || a[0] - b[0]);
    tip.replaceChildren(
      title,
      ...sorted.map(([number, own]) => line(panel, number, own, number === chosen)),
      foot,
    );
    tip.hidden = false;
    const box = svg.getBoundingClientRect();
    const x = box.left + (point[X] / view.width) * box.width;
    const y = box.top + (point[Y] / view.height) * box.height;
    const size = tip.getBoundingClientRect();
    const left = x + 16 + size.width < innerWidth ? x + 16 : x - 16 - size.width;
    const clamp = (value, most) => Math.max(8, Math.min(value, most - 8));
    tip.style.left = clamp(left, innerWidth - size.width) + "px";
    tip.style.top = clamp(y - size.height / 2, innerHeight - size.height) + "px";
    svg.state = [point[EPS], chosen];
    return undefined;
  }

  function leave(svg) {
    svg.classList.remove("reading");
    tip.hidden = true;
  }

  function visible(svg) {
    return data.panels[svg.dataset.panel].curves.filter(([number]) => !hidden.has(number));
  }

  function columns(svg) {
    const found = visible(svg).flatMap(([, points]) => points.map((point) => point[EPS]));
    return [...new Set(found)].sort((a, b) => a - b);
  }

  function point(svg, event) {
    const box = svg.getBoundingClientRect();
    const view = svg.viewBox.baseVal;
    const x = ((event.clientX - box.left) / box.width) * view.width;
    const y = ((event.clientY - box.top) / box.height) * view.height;
    const points = visible(svg).flatMap(([k, own]) => own.map((one) => ({ k, one })));
    if (!points.length) return leave(svg);
    const across = ({ one }) => Math.abs(one[X] - x);
    const column = points.reduce((a, b) => (across(b) < across(a) ? b : a)).one[EPS];
    const up = ({ one }) => Math.abs(one[Y] - y);
    const near = points.filter(({ one }) => one[EPS] === column);
    return read(svg, column, near.reduce((a, b) => (up(b) < up(a) ? b : a)).k);
  }

  function step(svg, event) {
    const eps = columns(svg);
    const shown = visible(svg).map(([number]) => number);
    if (event.key === "Escape") return leave(svg);
    if (!event.key.startsWith("Arrow") || !eps.length) return undefined;
    event.preventDefault();
    if (!svg.state) return read(svg, eps[0], shown[0]);
    const moved = (list, value, by) =>
      list[Math.max(0, Math.min(list.length - 1, Math.max(0, list.indexOf(value)) + by))];
    const by = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -1, ArrowDown: 1 }[event.key];
    const sideways = event.key === "ArrowLeft" || event.key === "ArrowRight";
    const [column, k] = svg.state;
    return sideways ? read(svg, moved(eps, column, by), k) : read(svg, column, moved(shown, k, by));
  }

  for (const svg of all(".chart[data-panel]")) {
    svg.addEventListener("pointermove", (event) => point(svg, event));
    svg.addEventListener("pointerdown", (event) => point(svg, event));
    svg.addEventListener("pointerleave", () => leave(svg));
    svg.addEventListener("blur", () => leave(svg));
    svg.addEventListener("keydown", (event) => step(svg, event));
  }
  addEventListener("scroll", () => all(".chart.reading").forEach(leave), { passive: true });

  // Legend.
  function redraw() {
    for (const curve of all(".curve")) {
      curve.classList.toggle("off", hidden.has(Number(curve.dataset.k)));
    }
    for (const button of all("[data-toggle]")) {
      button.setAttribute("aria-pressed", String(!hidden.has(Number(button.dataset.toggle))));
    }
  }
  for (const button of all("[data-toggle]")) {
    const k = Number(button.dataset.toggle);
    button.addEventListener("click", () => {
      if (!hidden.delete(k)) hidden.add(k);
      redraw();
    });
    button.addEventListener("dblclick", () => {
      const alone = hidden.size === data.labels.length - 1 && !hidden.has(k);
      hidden.clear();
      if (!alone) data.labels.forEach((_, other) => other !== k && hidden.add(other));
      redraw();
    });
  }

  // Tables: a click sorts by a column, another turns the order round.
  function key(cell) {
    const text = cell.dataset.v ?? cell.textContent;
    const number = Number(text.trim().replace(/,/g, "").replace(/^\+/, ""));
    return text.trim() === "" || Number.isNaN(number) ? text.trim() : number;
  }
  function before(a, b) {
    if (typeof a === "number" && typeof b === "number") return a - b;
    if (typeof a !== typeof b) return typeof a === "number" ? -1 : 1;
    return a.localeCompare(b, "en", { numeric: true });
  }
  for (const table of all("table.sortable")) {
    const headings = all("thead th", table);
    headings.forEach((heading, column) => {
      heading.querySelector("button").addEventListener("click", () => {
        const down = heading.getAttribute("aria-sort") === "ascending";
        headings.forEach((other) => other.setAttribute("aria-sort", "none"));
        heading.setAttribute("aria-sort", down ? "descending" : "ascending");
        const rows = [...table.tBodies[0].rows].map((row) => [key(row.cells[column]), row]);
        rows.sort(([a], [b]) => (down ? before(b, a) : before(a, b)));
        table.tBodies[0].append(...rows.map(([, row]) => row));
      });
    });
  }

  // The table of differences can be narrowed.
  const only = document.getElementById("surviving");
  const which = document.getElementById("which");
  function narrow() {
    let count = 0;
    const rows = [...document.getElementById("comparisons").tBodies[0].rows];
    for (const row of rows) {
      const survives = row.lastElementChild.classList.contains("strong");
      const wanted = !which.value || String(key(row.cells[0])) === which.value;
      row.hidden = !wanted || (only.checked && !survives);
      count += !row.hidden;
    }
    document.getElementById("shown").textContent = `${count} of ${rows.length} shown`;
  }
  if (only) {
    only.addEventListener("change", narrow);
    which.addEventListener("change", narrow);
    narrow();
  }
})();
