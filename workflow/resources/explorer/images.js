// Samples, and samples beside their nearest training images, cut from the sheet of a generation.

const WIDE = 528; // pixels that a grid of samples is wide at most, with the space beside each image
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
const tileWidth = (sheet, most) => sheet.width * Math.max(1, Math.floor(most / sheet.width));

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
  const real = `Generation 0: the first ${count(sheet.samples)} of ${count(sheet.n)} real training images.`;
  const first = `Generation ${generation}: the first ${count(sheet.samples)} of ${count(sheet.n)} samples, none chosen.`;
  const tracked = `Model ${generation}, ${count(sheet.tracked)} samples of the same random seeds in every generation and arm.`;
  $("tracked").hidden = sheet.tracked === 0;
  fillGrid("tracked", tiles(image, sheet, 0, sheet.tracked), tileWidth(sheet, 84), tracked + instead(generation));
  const shown = tiles(image, sheet, sheet.tracked, sheet.samples);
  fillGrid("first", shown, tileWidth(sheet, 40), (generation ? first : real) + instead(generation));
}

function fillGrid(name, canvases, width, text) {
  const grid = $(`${name}-grid`);
  grid.style.setProperty("--columns", Math.floor(WIDE / (width + 4)));
  grid.style.setProperty("--tile", `${width}px`);
  grid.replaceChildren(...canvases);
  grid.setAttribute("aria-label", text);
  $(`${name}-note`).textContent = text;
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
  $("groups").style.setProperty("--tile", `${tileWidth(sheet, Math.min(64, Math.max(32, 2 * sheet.width)))}px`);
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
