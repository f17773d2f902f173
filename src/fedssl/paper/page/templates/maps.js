/* ---- Embedding maps. The point under the pointer, or the chosen class, picks out its class in all
   panels of a figure. */

const SIDE = 240; // pixels of a panel
const NEAR = 12; // pixels from the pointer to a point

function showMap(map) {
  const figure = document.getElementById(`map-${map.name}`);
  const [select, said] = [figure.querySelector("select"), figure.querySelector(".picked")];
  const panels = map.panels.map((panel) => mapPanel(panel, map, (key) => pick(key)));
  const count = new Map();
  for (const panel of map.panels.slice(0, 1)) each(panel, (x, y, key) => count.set(key, (count.get(key) ?? 0) + 1));
  select.append(make("option", { value: "" }, "none"));
  map.datasets.forEach((dataset, number) => {
    const keys = [...count.keys()].filter((key) => key.startsWith(`${number} `)).sort((a, b) => label(a) - label(b));
    select.append(make("optgroup", { label: dataset.title }, ...keys.map((key) => make("option", { value: key }, className(map, key)))));
  });
  function pick(key) {
    select.value = key;
    said.textContent = key ? `${map.datasets[parseInt(key)].title}: ${className(map, key)}, ${count.get(key) ?? 0} samples` : "";
    for (const panel of panels) panel.paint(key);
  }
  select.addEventListener("change", () => pick(select.value));
  figure.querySelector(".panels").append(...panels.map((panel) => panel.element));
  pick("");
}

const label = (key) => Number(key.split(" ")[1]);

function className(map, key) {
  return map.datasets[parseInt(key)].classes?.[label(key)] ?? `class ${label(key)}`;
}

/* Call a function with x, y and the key "dataset label" of each point. */
function each(panel, call) {
  for (let at = 0; at < panel.points.length; at += 4) {
    const [x, y, dataset, own] = panel.points.slice(at, at + 4);
    call(6 + (x / 1000) * (SIDE - 12), SIDE - 6 - (y / 1000) * (SIDE - 12), `${dataset} ${own}`);
  }
}

function mapPanel(panel, map, pick) {
  const sharp = devicePixelRatio;
  const canvas = make("canvas", { width: SIDE * sharp, height: SIDE * sharp, role: "img", "aria-label": `t-SNE map, ${panel.title}` });
  const pen = canvas.getContext("2d");
  pen.scale(sharp, sharp);
  function paint(picked) {
    pen.clearRect(0, 0, SIDE, SIDE);
    const drawPoints = (wanted, size, alpha) => {
      pen.globalAlpha = alpha;
      each(panel, (x, y, key) => {
        if ((key === picked) !== wanted) return;
        pen.fillStyle = map.datasets[parseInt(key)].color;
        pen.beginPath();
        pen.arc(x, y, size, 0, 7);
        pen.fill();
      });
    };
    drawPoints(false, 2, picked ? 0.18 : 0.75);
    if (picked) drawPoints(true, 3.5, 1);
  }
  canvas.addEventListener("pointermove", (event) => {
    const box = canvas.getBoundingClientRect();
    const scale = SIDE / box.width;
    let [best, nearest] = [NEAR, ""];
    each(panel, (x, y, key) => {
      const away = Math.hypot(x - (event.clientX - box.left) * scale, y - (event.clientY - box.top) * scale);
      if (away < best) [best, nearest] = [away, key];
    });
    if (nearest) pick(nearest);
  });
  return { element: make("div", {}, canvas, make("small", {}, panel.title)), paint };
}

data.maps.forEach(showMap);
if (data.maps.length) document.getElementById("maps").hidden = false;
