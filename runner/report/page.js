// What a reader can do beside reading: sort a table, and follow a link into what is folded.
"use strict";

const collator = new Intl.Collator(document.documentElement.lang, { numeric: true });

function compared(one, other, isNumber) {
  const nothing = [one, other].map((text) => text === "" || text === "–");
  if (nothing[0] || nothing[1]) return { order: nothing[0] - nothing[1], fixed: true };
  if (!isNumber) return { order: collator.compare(one, other) };
  const [a, b] = [one, other].map((text) => Number(text.replaceAll(",", "")));
  return Number.isNaN(a) || Number.isNaN(b)
    ? { order: collator.compare(one, other) }
    : { order: a - b };
}

function sort(table, place, direction, isNumber) {
  const body = table.tBodies[0];
  const shown = (cell) => cell.querySelector("summary") ?? cell;
  const text = (row) => shown(row.cells[place]).textContent.trim();
  const rows = Array.from(body.rows, (row) => ({ row, key: text(row) }));
  rows.sort((one, other) => {
    const { order, fixed } = compared(one.key, other.key, isNumber);
    return fixed ? order : order * direction;
  });
  body.classList.add("sorted");
  body.append(...rows.map(({ row }) => row));
}

for (const table of document.querySelectorAll("table.data")) {
  const heads = Array.from(table.tHead.rows[0].cells);
  heads.forEach((head, place) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const isUp = head.getAttribute("aria-sort") === "ascending";
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", isUp ? "descending" : "ascending");
      sort(table, place, isUp ? -1 : 1, head.classList.contains("number"));
    });
  });
}

function unfold() {
  let place = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  const target = place;
  for (; place; place = place.parentElement) {
    if (place instanceof HTMLDetailsElement) place.open = true;
  }
  const own = target && target.querySelector(":scope > details");
  if (own) own.open = true;
  if (target) target.scrollIntoView();
}

addEventListener("hashchange", unfold);
document.addEventListener("click", (event) => {
  const link = event.target.closest('a[href^="#"]');
  if (link && link.hash === location.hash) unfold();
});
if (location.hash) unfold();
