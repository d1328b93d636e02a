// Shows the numbers of a chart below the pointer. They stand in the table behind it, which is complete without this.

const width = 720;

function nearest(rows, x) {
  let best = null;
  for (const row of rows) if (!best || Math.abs(row.dataset.x - x) < Math.abs(best.dataset.x - x)) best = row;
  return best;
}

function words(row) {
  const heads = [...row.closest("table").tHead.rows[0].cells].map((cell) => cell.textContent);
  const cells = [...row.cells].map((cell) => cell.textContent.trim());
  const said = cells.slice(1).map((text, i) => (text === "–" ? "" : `${heads[i + 1].toLowerCase()} ${text}`));
  return [cells[0], ...said.filter(Boolean)].join(" · ");
}

function show(figure, event) {
  const table = figure.closest("section")?.querySelector("table[data-points]");
  const drawing = figure.querySelector("svg");
  if (!table || !drawing) return;
  const box = drawing.getBoundingClientRect();
  const row = nearest(table.tBodies[0].rows, ((event.clientX - box.left) / box.width) * width);
  if (!row) return;
  for (const other of table.closest("section").querySelectorAll("figure[data-chart]")) {
    other.querySelector(".cursor").setAttribute("d", `M${row.dataset.x} 0v160`);
    other.querySelector(".at").textContent = other === figure ? words(row) : "";
  }
}

function hide(figure) {
  for (const other of figure.closest("section").querySelectorAll("figure[data-chart]")) {
    other.querySelector(".cursor").setAttribute("d", "");
    other.querySelector(".at").textContent = "";
  }
}

// On the document, because charts come and go with what is fetched.
document.addEventListener("pointermove", (event) => {
  const figure = event.target.closest?.("figure[data-chart]");
  if (figure) show(figure, event);
});
document.addEventListener("pointerout", (event) => {
  const figure = event.target.closest?.("figure[data-chart]");
  if (figure && !figure.contains(event.relatedTarget)) hide(figure);
});
