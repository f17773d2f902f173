/* ---- Confusions. Return what the predictions of a score confuse, or null if nothing is known. */

function confusion(path) {
  const one = data.confusions[path];
  if (!one) return null;
  const pairs = one.pairs.map(([label, predicted, count, total]) => `${label} as ${predicted} (${count} of ${total})`);
  const words = pairs.length ? `Most often confused: ${pairs.join(", ")}.` : "Every prediction is right.";
  if (!one.picture) return make("p", {}, words);
  const image = make("img", { src: one.picture, class: "confusion", alt: `Confusions of ${one.classes} classes. ${words}` });
  return make("figure", { class: "confusions" }, image,
    make("figcaption", {}, `A row per true class, a column per predicted class; a stronger shade means more samples. ${words}`));
}
