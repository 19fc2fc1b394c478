"use strict";
// Sorts a table by the column whose heading is clicked: worst first, then the other way round.
for (const button of document.querySelectorAll("th button[data-column]")) {
  button.addEventListener("click", () => {
    const heading = button.closest("th");
    const table = button.closest("table");
    const body = table.tBodies[0];
    const down = heading.getAttribute("aria-sort") !== "descending";
    for (const other of table.querySelectorAll("th[aria-sort]")) other.removeAttribute("aria-sort");
    heading.setAttribute("aria-sort", down ? "descending" : "ascending");
    const index = heading.cellIndex;
    const value = (row) => {
      const text = row.cells[index].dataset.value ?? row.cells[index].textContent.trim();
      const number = Number(text);
      return text === "" || Number.isNaN(number) ? text : number;
    };
    const rows = [...body.rows].sort((a, b) => {
      const [x, y] = [value(a), value(b)];
      const order = typeof x === "number" && typeof y === "number" ? x - y : String(x).localeCompare(String(y));
      return down ? -order : order;
    });
    body.append(...rows);
  });
}
