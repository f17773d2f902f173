/* ---- Examples. Return some samples with what a score predicted for them, a sentence why there are
   none, or null if none of them was scored. */

function waveform(sample) {
  const side = (end) => sample.wave.map((ends, place) => `${place},${-ends[end]}`);
  const svg = draw("svg", { viewBox: `0 -100 ${sample.wave.length - 1 || 1} 200`, preserveAspectRatio: "none", "aria-hidden": "true" });
  svg.append(draw("polygon", { points: [...side(1), ...side(0).reverse()].join(" ") }));
  return svg;
}

function example(sample, predicted) {
  const drawn = sample.picture ? make("img", { src: sample.picture, alt: "" }) : waveform(sample);
  return make("li", {}, drawn, make("strong", {}, sample.class),
    predicted === null || predicted === sample.class ? null : make("span", {}, `as ${predicted}`),
    sample.seconds ? make("span", {}, `${sample.seconds} s`) : null);
}

function examples(path) {
  const one = data.examples.scores[path];
  if (!one) return null;
  const { title, samples, note } = data.examples.datasets[one.dataset];
  if (note) return make("p", {}, note);
  if (!one.shown.length) return null;
  const figure = make("figure", { class: "examples" });
  for (const [word, side] of [["Right", true], ["Wrong", false]]) {
    const found = one.shown.filter(([, isRight]) => isRight === side);
    if (found.length) figure.append(make("p", {}, `${word}: ${found.length} of ${one.shown.length}`), make("ul", {}, ...found.map(([place, , predicted]) => example(samples[place], predicted))));
  }
  const meaning = one.shown[0][2] === null
    ? "A sample is right if a retrieved one has its class."
    : "Below each are its true class and, if it is wrong, the predicted one.";
  figure.append(make("figcaption", {}, `Samples of ${title} that were drawn at random, once for all encoders. ${meaning}`));
  return figure;
}
