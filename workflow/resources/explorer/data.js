// The data of the page, and what is computed from them.

const DATA = JSON.parse(document.getElementById("data").textContent);
const { arms: ARMS, chains: CHAINS, curves: CURVES, sheets: SHEETS } = DATA;
const LAST = Math.max(1, ...CURVES.flatMap((curve) => curve.values.map((values) => values.length)));

/** Return the position of the chain of an arm and a seed; of the arm's first seed if it lacks this one. */
function chainOf(arm, seed) {
  const exact = CHAINS.findIndex((chain) => chain.arm === arm && chain.seed === seed);
  return exact >= 0 ? exact : CHAINS.findIndex((chain) => chain.arm === arm);
}

const seedsOf = (arm) => CHAINS.filter((chain) => chain.arm === arm).map((chain) => chain.seed);

/** Return the last generation of a chain that has a number or a picture. */
function lastOf(chain) {
  const numbered = CURVES.map((curve) => curve.values[chain].findLastIndex((value) => value !== null) + 1);
  return Math.max(1, ...numbered, ...picturedOf(chain));
}

const picturedOf = (chain) => Object.keys(CHAINS[chain].sheets).map(Number);

/** Return the generation whose pictures stand for this one: itself, or the last one before it that has some. */
const pictureOf = (chain, generation) => Math.max(...picturedOf(chain).filter((g) => g <= generation));

/** Return what a curve's `values`, `n` or `n_reference` has for a chain and a generation, or null. */
const at = (columns, chain, generation) => columns[chain][generation - 1] ?? null;

/** Return {mean, error, n} over the seeds of an arm; error is the standard error (ddof = 1), null under two seeds. */
function overSeeds(curve, arm, generation) {
  const values = CHAINS.map((chain, position) => (chain.arm === arm ? at(curve.values, position, generation) : null));
  const found = values.filter((value) => value !== null);
  const n = found.length;
  if (n === 0) return { mean: null, error: null, n };
  const mean = found.reduce((sum, value) => sum + value, 0) / n;
  const squares = found.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { mean, error: n > 1 ? Math.sqrt(squares / (n - 1) / n) : null, n };
}

/** Return the arm's points of a curve: {generation, mean, error}, without generations that have no value. */
function seriesOf(curve, arm) {
  const generations = Array.from({ length: LAST }, (_, index) => index + 1);
  const points = generations.map((generation) => ({ generation, ...overSeeds(curve, arm, generation) }));
  return points.filter((point) => point.mean !== null);
}

/** Write a number with four digits. */
function format(value) {
  if (value === null) return "–";
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-3 || size >= 1e6)) return value.toExponential(2).replace(/-/g, "−");
  const text = value.toLocaleString("en", size < 1000 ? { maximumSignificantDigits: 4 } : { maximumFractionDigits: 0 });
  return text.replace("-", "−");
}

/** Write a mean with its standard error, both to the second digit of the error. */
function formatMean({ mean, error }) {
  if (error === null || error === 0) return error === null ? format(mean) : `${format(mean)} ± 0`;
  const power = Math.floor(Math.log10(error)) - 1;
  if (power < -6) return `${format(mean)} ± ${format(error)}`;
  const digits = { minimumFractionDigits: Math.max(0, -power), maximumFractionDigits: Math.max(0, -power) };
  const write = (value) => (Math.round(value / 10 ** power) * 10 ** power).toLocaleString("en", digits).replace("-", "−");
  return `${write(mean)} ± ${write(error)}`;
}

const count = (n) => n.toLocaleString("en");

/** Return a new element with attributes and children (elements or text). */
function element(name, attributes = {}, ...children) {
  return furnish(document.createElement(name), attributes, children);
}

/** The same for SVG. */
function shape(name, attributes = {}, ...children) {
  return furnish(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, children);
}

function furnish(made, attributes, children) {
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== null && value !== false) made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children);
  return made;
}

const $ = (id) => document.getElementById(id);
