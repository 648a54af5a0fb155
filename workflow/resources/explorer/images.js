// Samples, and samples beside their nearest training images, cut from the sheet of a generation.

const GRID = 528; // pixels that the samples are wide at most, with the space beside each
const decoded = new Map(); // position of a sheet -> promise of its image

function decode(position) {
  if (!decoded.has(position)) {
    const image = new Image();
    image.src = SHEETS[position].image;
    decoded.set(position, image.decode().then(() => image));
  }
  return decoded.get(position);
}

/** Return a canvas with one tile of a sheet, in the image's own pixels; CSS enlarges it without smoothing. */
function tile(image, sheet, position) {
  const { width, height } = sheet;
  const canvas = element("canvas", { width, height });
  const [row, column] = [Math.floor(position / DATA.across), position % DATA.across];
  canvas.getContext("2d").drawImage(image, column * width, row * height, width, height, 0, 0, width, height);
  return canvas;
}

const tiles = (image, sheet, first, n) => Array.from({ length: n }, (_, k) => tile(image, sheet, first + k));

/** Return a width of tiles of at most `most` pixels: a whole number of screen pixels for each of theirs. */
const tileWidth = (sheet, most) => `${sheet.width * Math.max(1, Math.floor(most / sheet.width))}px`;

async function renderImages() {
  const chain = chainOf(state.arm, state.seed);
  const pictured = picturedOf(chain);
  for (const id of ["samples", "nearest"]) $(id).hidden = !pictured.length;
  document.querySelector("main").classList.toggle("no-images", !pictured.length);
  if (!pictured.length) return;
  const asked = JSON.stringify(state);
  const generation = pictureOf(chain, state.generation);
  const position = CHAINS[chain].sheets[generation];
  const image = await decode(position);
  if (asked !== JSON.stringify(state)) return; // something else was chosen meanwhile
  renderSamples(image, SHEETS[position], generation);
  renderNearest(image, SHEETS[position], generation);
  for (const sheet of Object.values(CHAINS[chain].sheets)) decode(sheet);
}

function renderSamples(image, sheet, generation) {
  const tracked = anyTracked() && state.view === "tracked";
  const shown = tracked && generation > 0 ? [0, sheet.tracked] : [sheet.tracked, sheet.samples];
  const n = Math.min(shown[1], tracked ? Math.max(...SHEETS.map((each) => each.tracked)) : Infinity);
  const columns = n <= 16 ? 4 : 8;
  $("grid").style.setProperty("--columns", columns);
  $("grid").style.setProperty("--tile", tileWidth(sheet, GRID / columns - 4));
  $("grid").replaceChildren(...tiles(image, sheet, shown[0], n));
  $("views").hidden = !anyTracked();
  const text = samplesText(sheet, generation, tracked, n) + instead(generation);
  $("samples-note").textContent = text;
  $("grid").setAttribute("aria-label", text);
}

const anyTracked = () => SHEETS.some((sheet) => sheet.tracked > 0);

function samplesText(sheet, generation, tracked, n) {
  if (generation === 0) return `Generation 0: the first ${count(n)} of ${count(sheet.n)} real training images.`;
  if (tracked) return `Model ${generation}, ${count(n)} samples: the same random seeds in every generation and arm.`;
  return `Generation ${generation}: the first ${count(n)} of ${count(sheet.n)} samples, none chosen.`;
}

/** Say so where the pictures are of another generation than the numbers. */
const instead = (generation) => (generation === state.generation ? "" : ` No pictures of generation ${state.generation} are kept.`);

function renderNearest(image, sheet, generation) {
  $("nearest-note").textContent = nearestText(sheet, generation) + instead(generation);
  let first = sheet.tracked + sheet.samples;
  const figures = (sheet.groups ?? []).map(({ name, distance }) => {
    const figure = pairsFigure(image, sheet, name, distance, first);
    first += 2 * distance.length;
    return figure;
  });
  $("groups").replaceChildren(...figures);
  $("groups").style.setProperty("--tile", tileWidth(sheet, Math.min(64, Math.max(32, 2 * sheet.width))));
}

function nearestText(sheet, generation) {
  if (!sheet.groups) return "Generation 0 is the real data: no model made it. Move on to generation 1.";
  return (
    `Above: a sample of generation ${generation}; below: the nearest of the ${count(sheet.training)} images that its model ` +
    `was trained on; the number: their Euclidean distance in grey levels, ${format(sheet.mean)} on average over the ` +
    `first ${count(sheet.looked_at)} samples.`
  );
}

function pairsFigure(image, sheet, name, distance, first) {
  const pairs = distance.map((value, k) => {
    const two = [tile(image, sheet, first + k), tile(image, sheet, first + distance.length + k)];
    return element("li", { class: "pair" }, ...two, value.toFixed(0));
  });
  const caption = name[0].toUpperCase() + name.slice(1);
  return element("figure", {}, element("figcaption", {}, caption), element("ol", { class: "pairs" }, ...pairs));
}
