/* ---- Provenance. The anchor of a number opens the dialog, and leaving the anchor closes it. A link
   to a number can therefore be shared. */

const points = (value) => (value === null || value === undefined ? "—" : value.toFixed(2));
const bytes = new Intl.NumberFormat("en", { style: "unit", unit: "megabyte", maximumFractionDigits: 1 });
const plain = new Intl.NumberFormat("en");

function duration(seconds) {
  if (seconds < 120) return `${seconds.toFixed(1)} s`;
  return seconds < 7200 ? `${(seconds / 60).toFixed(1)} min` : `${(seconds / 3600).toFixed(1)} h`;
}

function pairs(entries) {
  const list = make("dl", { class: "pairs" });
  for (const [name, value] of entries) {
    if (value === null || value === undefined) continue;
    list.append(make("div", {}, make("dt", {}, name), make("dd", {}, value instanceof Node ? value : String(value))));
  }
  return list;
}

function folded(title, ...children) {
  return make("details", {}, make("summary", {}, title), ...children);
}

function digests(entries) {
  const table = make("table", { class: "digests" });
  table.append(make("tbody", {}, ...entries.map(([name, digest, url]) =>
    make("tr", {}, make("td", {}, url ? make("a", { href: url }, name) : name), make("td", {}, digest)))));
  return table;
}

function command(text) {
  const code = make("pre", {}, make("code", {}, text));
  const button = make("button", { type: "button" }, "Copy");
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(code); // without a clipboard, select the text so that it can be copied by hand
    }
  });
  return make("div", { class: "command" }, code, button);
}

function flat(settings, prefix = "") {
  return Object.entries(settings).flatMap(([key, value]) =>
    value !== null && typeof value === "object" && !Array.isArray(value)
      ? flat(value, `${prefix}${key}.`)
      : [[`${prefix}${key}`, Array.isArray(value) ? value.join(", ") : String(value)]]);
}

function curve(curves) {
  const [width, height, left, bottom] = [640, 190, 44, 24];
  const rounds = curves.flatMap((line) => data.rounds[line.rounds]);
  const losses = curves.flatMap((line) => line.loss).filter((loss) => loss !== null);
  const [first, last, low, high] = [Math.min(...rounds), Math.max(...rounds), Math.min(...losses), Math.max(...losses)];
  const x = (round) => left + ((width - left - 46) * (round - first)) / (last - first || 1);
  const y = (loss) => 10 + ((height - bottom - 20) * (high - loss)) / (high - low || 1);
  const known = (line) => line.loss.filter((loss) => loss !== null);
  const said = curves.map((line) => `${line.modality} from ${known(line)[0]} to ${known(line).at(-1)}`).join(", ");
  const svg = draw("svg", { viewBox: `0 0 ${width} ${height}`, class: "curve", role: "img", "aria-label": `Loss over rounds ${first} to ${last}: ${said}` });
  svg.append(
    draw("line", { class: "axis", x1: left, x2: left, y1: 6, y2: height - bottom }),
    draw("line", { class: "axis", x1: left, x2: width - 40, y1: height - bottom, y2: height - bottom }),
    draw("text", { x: left - 6, y: y(high) + 4, "text-anchor": "end" }, high.toPrecision(3)),
    draw("text", { x: left - 6, y: y(low) + 4, "text-anchor": "end" }, low.toPrecision(3)),
    draw("text", { x: left, y: height - 8 }, `round ${first}`),
    draw("text", { x: x(last), y: height - 8, "text-anchor": "end" }, String(last)),
  );
  let free = 0; // labels are placed below this y, so that they do not overlap
  const lines = [...curves].sort((a, b) => known(b).at(-1) - known(a).at(-1));
  for (const line of lines) {
    const drawn = line.loss.flatMap((loss, place) => (loss === null ? [] : [`${x(data.rounds[line.rounds][place])},${y(loss)}`]));
    const beside = Math.max(free, y(known(line).at(-1)) + 4);
    free = beside + 13;
    svg.append(
      draw("polyline", { class: line.modality, points: drawn.join(" ") }),
      draw("text", { class: line.modality, x: x(last) + 5, y: beside }, line.modality),
    );
  }
  return make("figure", { class: "wide" }, svg, make("figcaption", {}, "Training loss, mean over the clients of a round"));
}

function histogram(shards) {
  const spread = (values) => values.map((value) => plain.format(value)).join(" / ");
  const alt = `${shards.clients} clients by ${shards.classes} classes; a client holds ${spread(shards.samples)} samples of ${spread(shards.classes_held)} classes (least, median, most)`;
  const image = make("img", { src: shards.picture, class: "histogram", alt });
  const caption = `${shards.dataset}, seed ${shards.seed}: one line per client (${shards.clients}), one column per class (${shards.classes}). A stronger shade means more samples, at most ${plain.format(shards.largest)}. `
    + `Samples per client: ${spread(shards.samples)}; classes per client: ${spread(shards.classes_held)} (least, median, most). `
    + `Dropped: ${shards.dropped}; clients with too few: ${shards.small_clients}.`;
  return make("figure", {}, image, make("figcaption", {}, caption));
}

function hardware(machine) {
  return `${machine.gpu ?? "no GPU"}; ${machine.cpu}, ${machine.cores} cores (${machine.host})`;
}

function job(place) {
  const one = data.jobs[place];
  const git = data.git[one.git];
  const commit = git.commit && data.repository;
  const atCommit = (file) => (commit && !git.dirty ? `${data.repository}/blob/${git.commit}/${file}` : null);
  const send = (count) => (count === undefined ? null : `${bytes.format(count / 1e6)}`);
  const parts = make("div");
  if (one.curves.length || one.shards.length) {
    parts.append(make("div", { class: "drawings" },
      one.curves.length ? curve(one.curves) : null,
      ...one.shards.map((shards) => histogram(data.shards[shards]))));
  }
  parts.append(
    pairs([
      ["seed", one.seed], ["started", one.started.replace("T", " ")], ["took", duration(one.seconds)],
      ["hardware", hardware(data.hardware[one.hardware])],
      ["peak memory", Object.entries(one.memory).map(([where, mb]) => `${plain.format(mb)} MB ${where}`).join(", ")],
      ["clients sent", send(one.bytes_up)], ["clients received", send(one.bytes_down)],
      ...Object.entries(one.facts).map(([name, value]) => [name.replaceAll("_", " "), typeof value === "object" ? JSON.stringify(value) : value]),
      ["commit", make("code", {}, commit ? make("a", { href: `${data.repository}/commit/${git.commit}` }, git.commit) : git.commit ?? "none", git.dirty ? " with changes" : "")],
      ["digest of this record", make("code", {}, one.digest)],
    ]),
    folded("Settings", pairs(flat(data.settings[one.settings]))),
    folded("Input files (SHA-256)", digests(one.inputs.map((input) => data.inputs[input]))),
    folded(`Code (SHA-256 of ${Object.keys(data.sources[one.sources]).length} files)`, digests(Object.entries(data.sources[one.sources]).map(([file, digest]) => [file, digest, atCommit(file)]))),
    folded("Package versions", pairs(Object.entries(data.packages[one.packages]))),
  );
  return parts;
}

const pathOf = (one) => `${data.folders[one.path[0]]}/${one.path[1]}`;

function step(place, isFolded) {
  const one = data.steps[place];
  const rule = one.job === null ? "job" : data.jobs[one.job].rule.replaceAll("_", " ");
  const files = (one.files ?? []).flatMap(([text, url]) => [make("a", { href: url }, text), " "]);
  const inputs = one.job === null ? [] : data.jobs[one.job].inputs.map((place) => data.inputs[place]);
  for (const [name, , url] of inputs) {
    const bank = name.match(/([^/]+)\/(bank\.json)$/);
    if (url && bank) files.push(make("a", { href: url }, `${bank[2]} of ${bank[1]}`), " ");
  }
  const table = document.getElementById(one.path[1].replace(/\.csv$/, ""));
  if (table) files.unshift(make("a", { href: `#${table.id}` }, "table on this page"), " ");
  const title = one.scored === undefined
    ? rule.replace(/^./, (letter) => letter.toUpperCase())
    : one.round
    ? `Chosen on ${one.scored}: round ${one.value}, on ${plain.format(one.n_eval)} samples`
    : `Scored on ${one.scored}${one.protocol ? `, ${one.protocol.replaceAll("-", " ")}` : ""}: ${points(one.value)} over ${plain.format(one.n_eval)} samples`;
  const parts = [command(`${data.command} --force ${pathOf(one)}`), make("p", { class: "links" }, ...files), confusion(pathOf(one)), examples(pathOf(one)),
    one.job === null ? make("p", {}, "No provenance record of this job was found.") : job(one.job)];
  return isFolded ? folded(`${title} (${pathOf(one)})`, ...parts) : make("section", {}, make("h4", {}, title), ...parts);
}

function run(one) {
  const isFolded = one.steps.length > 4;
  return make("section", {}, make("h3", {}, one.seed === null ? "Run" : `Seed ${one.seed}`), ...one.steps.map((place) => step(place, isFolded)));
}

/* Return the paths to force: the models or, for a random encoder, the scores. */
function forced(number) {
  const steps = number.runs.flatMap((one) => one.steps).map((place) => data.steps[place]);
  const models = steps.filter((one) => one.scored === undefined);
  const outputs = new Map((models.length ? models : steps).map((one) => [one.job ?? pathOf(one), pathOf(one)]));
  return [...outputs.values()].join(" ");
}

/* Return the statistics of a number of a table, which other rows and figures lack. */
function statistics(cell, number) {
  const shown = (name) => cell.querySelector(name)?.textContent.trim();
  return pairs([
    ["verdict", cell.querySelector(".judged") && cell.dataset.verdict.replaceAll("-", " ")], ["published", shown(".paper")?.replace("paper ", "")],
    ["note on the published number", shown(".mark span")],
    ["measured minus published", shown(".delta")],
    ["95 % interval", number.interval?.map(points).join(" to ") ?? null],
    ["interval for one run of the paper", number.predicted?.map(points).join(" to ") ?? null],
    ["pooled standard deviation of a seed", number.seed_sd === null ? null : points(number.seed_sd)],
    ["seeds that would decide", number.seeds_needed], ["reason", number.reason],
    ["standard deviation over seeds", number.std === null ? "one seed" : points(number.std)],
    ["before training", number.random_init === null ? null : points(number.random_init)],
    ["chance", number.chance === null ? null : points(number.chance)],
    ["flags", number.flags],
    ["seeds", number.n_seeds], ["samples scored", plain.format(number.n_eval)],
  ]);
}

function show(cell) {
  const number = data.numbers[cell.id];
  const section = cell.closest("section");
  const close = make("button", { type: "button" }, "Close");
  close.addEventListener("click", () => dialog.close());
  const title = number.title
    ?? `${cell.parentNode.cells[0].textContent}, ${number.column}: ${cell.querySelector(".measured").firstChild.textContent.trim()}`;
  dialog.replaceChildren(
    make("header", {}, make("div", {}, make("h2", { id: "provenance-title" }, title),
      make("p", {}, number.about ?? section.dataset.title)), close),
    make("div", {},
      number.title ? null : statistics(cell, number),
      make("h3", {}, "Rerun this number and everything that depends on it"),
      command(`${data.command} --forcerun ${forced(number)} -- ${number.target ?? section.id}`),
      ...number.runs.map(run)));
  dialog.showModal();
  dialog.scrollTop = 0;
}

/* Closing returns to where the reader came from: the table or, after a link from elsewhere, the cell
   of the number. Returning may move the focus, so it is set to the number afterwards. */
let openedHere = false;
let left = null;

function numberInHash() {
  const id = decodeURIComponent(location.hash.slice(1));
  return id in data.numbers ? document.getElementById(id) : null;
}

function follow() {
  const cell = numberInHash();
  if (cell) return show(cell);
  dialog.close();
  left?.focus();
  left = null;
}

dialog.addEventListener("close", () => {
  const cell = numberInHash();
  if (!cell) return;
  left = cell.querySelector(".measured");
  if (openedHere) history.back();
  else {
    history.replaceState(null, "", location.pathname + location.search);
    follow();
  }
  openedHere = false;
});
document.addEventListener("click", (event) => {
  if (event.target.closest?.("a.measured")) openedHere = true;
});
addEventListener("hashchange", follow);
follow();
