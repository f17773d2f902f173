/* Unpack the data of all jobs: gzipped JSON in base64, a fifth of the plain size. */
const packed = Uint8Array.from(atob(document.getElementById("data").textContent), (c) => c.charCodeAt(0));
const unpacked = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
const data = await new Response(unpacked).json();
const dialog = document.getElementById("provenance");

/* Make elements from text, never from markup, so that names in the data cannot become tags. */
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children.filter((child) => child !== null));
  return element;
}

function draw(tag, attributes = {}, text = "") {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.textContent = text;
  return element;
}

/* ---- Sorting. The button of a header switches between the first order, the other and none. */

function sortKey(row, place, kind) {
  const cell = row.cells[place];
  const text = cell.dataset.value ?? cell.textContent.trim();
  if (kind !== "number") return text.toLowerCase();
  return text === "" || Number.isNaN(Number(text)) ? null : Number(text);
}

function compare(a, b) {
  if (a === null || b === null) return (a === null) - (b === null); // cells without a number come last
  return typeof a === "number" ? a - b : a.localeCompare(b);
}

/* Rows that were never run have a body of their own behind a line that folds them. */
const bodies = (table) => [...table.tBodies].filter((body) => !body.matches(".fold"));
const rowsOf = (table) => bodies(table).flatMap((body) => [...body.rows]);

function sortTable(header, place) {
  const kind = header.dataset.sort;
  const orders = kind === "number" ? ["descending", "ascending"] : ["ascending", "descending"];
  const next = [...orders, null][orders.indexOf(header.ariaSort) + 1];
  for (const other of header.closest("thead").querySelectorAll("[aria-sort]")) {
    other.removeAttribute("aria-sort");
  }
  if (next) header.ariaSort = next;
  const sign = next === "ascending" ? 1 : -1;
  for (const body of bodies(header.closest("table"))) {
    const rows = [...body.rows].sort((a, b) => a.dataset.place - b.dataset.place);
    if (next) {
      rows.sort((a, b) => {
        const [first, second] = [sortKey(a, place, kind), sortKey(b, place, kind)];
        return first === null || second === null ? compare(first, second) : sign * compare(first, second);
      });
    }
    body.append(...rows);
  }
}

/* Tables of numbers have two header lines. The cells of the first one are groups and do not sort,
   except the name of the row, which spans both lines. */
function addSortButtons(table) {
  rowsOf(table).forEach((row, place) => { row.dataset.place = place; });
  const lines = [...table.tHead.rows];
  const headers = lines.length > 1
    ? [lines[0].cells[0], ...lines[1].cells]
    : [...lines[0].cells];
  headers.forEach((header, place) => {
    if (!header.dataset.sort) return;
    const button = make("button", { type: "button" }, ...header.childNodes);
    button.addEventListener("click", () => sortTable(header, place));
    header.replaceChildren(button);
  });
}

/* ---- Filters. Rows and columns without a match are hidden. Other numbers of the rest fade. */

const form = document.getElementById("filters");
const tables = [...document.querySelectorAll("table[data-filtered]")];

/* A search for the full name of a dataset or an encoder finds its short name, and the other way round. */
const names = data.legend.map(([name, meaning]) => {
  const exact = name.toLowerCase().replace(/[.*+?^${}()|[\]\\]/g, "\\$&").replace(/^(?=\w)/, "(?<!\\w)");
  return [new RegExp(`${exact}(?!\\w)`), meaning.toLowerCase()];
});

function searched(text) {
  const lower = text.toLowerCase();
  return [lower, ...names.filter(([name]) => name.test(lower)).map(([, meaning]) => meaning)].join(" ");
}

function hasAxes(row, chosen) {
  return Object.entries(chosen).every(([axis, value]) =>
    axis === "verdict" || (row.dataset[axis] ?? "").split(" ").includes(value));
}

/* Return a test for rows that match as a whole. */
function wholeRows(table, chosen, words) {
  const about = searched(`${titleOf(table)} ${table.tHead.textContent}`);
  return (row) => {
    if (!hasAxes(row, chosen)) return false;
    if (chosen.verdict && !(row.dataset.is ?? "").split(" ").includes(chosen.verdict)) return false;
    const text = `${about} ${searched(row.textContent)}`;
    return words.every((word) => text.includes(word));
  };
}

const titleOf = (table) => table.closest("section").querySelector("h2, h3").textContent;

/* Show the columns whose places are given, and the groups above them. */
function showColumns(table, shown) {
  const [groups, ...others] = table.tHead.rows;
  for (const row of [...others, ...rowsOf(table), ...table.tFoot.rows]) {
    const first = row.cells.length - shown.length; // the name of a row in the header spans both lines
    shown.forEach((isShown, place) => { row.cells[place + first].hidden = !isShown; });
  }
  let place = 0;
  for (const group of [...groups.cells].slice(1)) {
    group.dataset.span ??= group.colSpan;
    const count = shown.slice(place, place += Number(group.dataset.span)).filter(Boolean).length;
    group.hidden = !count;
    group.colSpan = count || 1;
  }
}

/* Filter a table number by number, and return how many match. */
function filterNumbers(table, chosen, words) {
  const [groups, heads] = table.tHead.rows;
  const above = [...groups.cells].slice(1).flatMap((group) => Array(Number(group.dataset.span ?? group.colSpan)).fill(group.textContent));
  const columns = [...heads.cells].map((head, place) => searched(`${above[place]} ${head.textContent}`));
  const about = searched(titleOf(table));
  const shown = columns.map(() => false);
  let count = 0;
  for (const row of rowsOf(table)) {
    const named = `${about} ${searched(row.cells[0].textContent)}`;
    const inRow = hasAxes(row, chosen);
    let found = 0;
    [...row.cells].slice(1).forEach((cell, place) => {
      if (!cell.dataset.verdict) return;
      const text = `${named} ${columns[place]} ${cell.textContent.toLowerCase()}`;
      const matches = inRow && (!chosen.verdict || cell.dataset.verdict === chosen.verdict) && words.every((word) => text.includes(word));
      cell.classList.toggle("other", !matches);
      shown[place] ||= matches;
      found += matches;
    });
    row.hidden = !found;
    count += found;
  }
  showColumns(table, shown);
  return count;
}

function filterTable(table, chosen, words) {
  let count = 0;
  if (table.matches(".numbers")) count = filterNumbers(table, chosen, words);
  else {
    const matches = wholeRows(table, chosen, words);
    for (const row of rowsOf(table)) row.hidden = !matches(row);
  }
  table.closest("section").hidden = rowsOf(table).every((row) => row.hidden);
  foldTable(table, Boolean(words.length || Object.keys(chosen).length));
  return count;
}

/* Filters open what they find, and their end folds it again. */
function foldTable(table, sought) {
  const fold = table.querySelector(".fold");
  if (!fold) return;
  const found = [...fold.nextElementSibling.rows].filter((row) => !row.hidden).length;
  const details = fold.querySelector("details");
  fold.hidden = !found;
  details.firstElementChild.textContent = `${found} ${found === 1 ? "row" : "rows"} not run`;
  details.open = sought || (details.open && !details.hasAttribute("data-sought"));
  details.toggleAttribute("data-sought", sought);
}

function filter() {
  const { search = "", ...chosen } = Object.fromEntries([...new FormData(form)].filter(([, value]) => value));
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  const shown = tables.reduce((sum, table) => sum + filterTable(table, chosen, words), 0);
  const gains = document.getElementById("gains");
  if (gains) gains.hidden = [...gains.querySelectorAll("section")].every((section) => section.hidden);
  document.getElementById("nothing").hidden = tables.some((table) => !table.closest("section").hidden);
  const total = document.querySelectorAll("[data-verdict]").length;
  document.getElementById("shown").textContent = `${shown} of ${total} numbers`;
}

/* The address holds the filters, so that a filtered page can be sent. */
function readFilters() {
  const asked = new URLSearchParams(location.search);
  for (const field of form.elements) if (field.name) field.value = asked.get(field.name) ?? "";
}

function writeFilters() {
  const chosen = new URLSearchParams([...new FormData(form)].filter(([, value]) => value)).toString();
  history.replaceState(null, "", `${location.pathname}${chosen && `?${chosen}`}${location.hash}`);
}

function change() {
  filter();
  fit();
  writeFilters();
}

/* A link may lead to a row that the filters hide or that is folded. */
function reveal(target) {
  if (target?.closest("[hidden]")) {
    form.reset();
    change();
  }
  const unrun = target?.closest(".unrun");
  if (unrun) unrun.previousElementSibling.querySelector("details").open = true;
}

form.hidden = false;
/* A table that fits into the width needs no box that scrolls: the page scrolls, and the header of the
   table stays below the filters. */
function fit() {
  const bar = getComputedStyle(form).position === "sticky" ? form.offsetHeight : 0;
  document.documentElement.style.setProperty("--filters", `${bar}px`);
  const boxes = [...document.querySelectorAll(".scroll")];
  boxes.forEach((box) => box.classList.remove("fits"));
  const fitting = boxes.filter((box) => !box.closest("[hidden]") && box.scrollWidth <= box.clientWidth);
  fitting.forEach((box) => box.classList.add("fits"));
}

const targetOf = (address) => document.getElementById(decodeURIComponent(address.hash.slice(1)));

readFilters();
form.addEventListener("input", change);
form.addEventListener("submit", (event) => event.preventDefault());
form.addEventListener("reset", () => setTimeout(change));
document.addEventListener("click", (event) => {
  const link = event.target.closest?.('a[href^="#"]');
  if (link) reveal(targetOf(link));
});
document.addEventListener("toggle", fit, true);
document.querySelectorAll("table[data-sortable]").forEach(addSortButtons);
filter();
reveal(targetOf(location));
fit();
addEventListener("resize", fit);
