"use strict";
// Without this script the page holds every board, one below the other. With it: one at a time, sorted and filtered.
const root = document.documentElement;
const all = (selector, from = document) => [...from.querySelectorAll(selector)];
const said = document.getElementById("said");
root.classList.add("js");

// One board at a time, the one that the address names.
const boards = all(".board");
const links = all(".boards a");
const names = document.title;

function show(board) {
  for (const other of boards) other.classList.toggle("current", other === board);
  for (const link of links) {
    if (decodeURIComponent(link.hash.slice(1)) === board.id) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  document.title = board.id + " \u2013 " + names;
}

function follow() {
  let wanted = null;
  try { wanted = document.getElementById(decodeURIComponent(location.hash.slice(1))); } catch { wanted = null; }
  const board = wanted && wanted.closest(".board");
  if (wanted && !board) return; // the skip link
  if (boards.length) show(board || boards[0]);
  if (!board) return;
  for (let part = wanted; part; part = part.parentElement) if (part.tagName === "DETAILS") part.open = true;
  if (wanted === board) {
    window.scrollTo({ top: 0, behavior: "instant" });
    const title = document.getElementById(board.id + "/title");
    if (title) title.focus({ preventScroll: true });
  } else wanted.scrollIntoView();
}

const narrow = matchMedia("(max-width: 68rem)");
const menu = document.querySelector(".boards details");
function fold() { menu.open = !narrow.matches; }
if (menu) {
  fold();
  narrow.addEventListener("change", fold);
  menu.addEventListener("click", (event) => { if (narrow.matches && event.target.closest("a")) menu.open = false; });
}
window.addEventListener("hashchange", follow);
follow();

// Sorting: Python has put down where each row stands by each column; equals stay in the order of the ranking.
function sortable(table) {
  const body = table.tBodies[0];
  const rows = [...body.rows];
  const heads = [...table.tHead.rows[0].cells];
  for (const head of heads) {
    if (head.dataset.order === undefined) continue;
    const places = head.dataset.order.split(",").map((place) => (place === "" ? null : Number(place)));
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      const sign = down ? -1 : 1;
      const order = rows.map((_, i) => i).sort((a, b) => {
        if (places[a] === null || places[b] === null) return (places[a] === null) - (places[b] === null) || a - b;
        return sign * (places[a] - places[b]) || a - b;
      });
      body.append(...order.map((i) => rows[i]));
      for (const other of heads) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      said.textContent = "Sorted by " + button.textContent + ", " + (down ? "descending." : "ascending.");
    });
  }
}

// Filtering by name, and to the models that are tied for best.
function filterable(controls) {
  const find = controls.querySelector(".find");
  const ties = controls.querySelector(".ties");
  const shown = controls.querySelector(".shown");
  const rows = [...document.getElementById(find.getAttribute("aria-controls")).tBodies[0].rows];
  const texts = rows.map((row) => row.querySelector("th").textContent.toLowerCase());
  function filter() {
    const words = find.value.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    rows.forEach((row, i) => {
      const fits = words.every((word) => texts[i].includes(word)) && (!ties || !ties.checked || row.classList.contains("best"));
      row.hidden = !fits;
      count += fits;
    });
    shown.textContent = count + " of " + rows.length + " models";
  }
  find.addEventListener("input", filter);
  if (ties) ties.addEventListener("change", filter);
  controls.hidden = false;
}
all("table.ranking").filter((table) => table.tBodies[0].rows.length > 1).forEach(sortable);
all(".controls").forEach(filterable);

// Light, dark, or as the system has it; remembered where the browser lets a page remember.
const theme = document.getElementById("theme");
const themes = ["automatic", "light", "dark"];
let chosen = "automatic";
function dress() {
  if (chosen === "automatic") delete root.dataset.theme;
  else root.dataset.theme = chosen;
  theme.textContent = "Theme: " + chosen;
}
try { chosen = themes.find((name) => name === localStorage.getItem("harness-theme")) || chosen; } catch { /* not here */ }
theme.addEventListener("click", () => {
  chosen = themes[(themes.indexOf(chosen) + 1) % themes.length];
  try { localStorage.setItem("harness-theme", chosen); } catch { /* not here */ }
  dress();
});
dress();
theme.hidden = false;
