// Curves of one metric for all arms: mean over seeds, band of one standard error, thin lines for real images.

const MARGIN = { top: 22, right: 14, bottom: 36, left: 58 }; // pixels
const LOG_SPAN = 20; // a logarithmic metric has a log scale from this ratio of its values on, as in the figures
const MARKERS = {
  o: "M-3.5 0a3.5 3.5 0 1 0 7 0a3.5 3.5 0 1 0-7 0", s: "M-3.2-3.2h6.4v6.4h-6.4z", "^": "M0-4.2l3.9 7h-7.8z",
  D: "M0-4.4l4.4 4.4l-4.4 4.4l-4.4-4.4z", v: "M0 4.2l3.9-7h-7.8z", p: "M0-4.2l4 2.9l-1.5 4.7h-5l-1.5-4.7z",
  P: "M-1.4-4.2h2.8v2.8h2.8v2.8h-2.8v2.8h-2.8v-2.8h-2.8v-2.8h2.8z",
  X: "M-4-2l2-2l2 2l2-2l2 2l-2 2l2 2l-2 2l-2-2l-2 2l-2-2l2-2z",
};
let chart = null; // what the pointer needs: the places of the generations on the screen

/** Return the style of an arm: its colour, lighter on a dark page. The first arm is drawn in ink. */
function armStyle(arm) {
  const color = `color-mix(in oklab, ${ARMS[arm].color} calc(100% - var(--lift)), white)`;
  return `--arm: ${arm === 0 ? "var(--ink)" : color}`;
}

const dashes = (arm, width) => ARMS[arm].dash.map((length) => length * width).join(" ") || null;

/** Return the values that a chart of a curve has to hold: means with their errors, and the baseline's. */
function drawnValues(curve) {
  const curves = curve.baseline === null ? [curve] : [curve, CURVES[curve.baseline]];
  const points = curves.flatMap((each) => ARMS.flatMap((_, arm) => seriesOf(each, arm)));
  return points.flatMap(({ mean, error }) => [mean - (error ?? 0), mean, mean + (error ?? 0)]);
}

/** Return whether the scale is logarithmic: as chosen, else as the figures do; null where it cannot be. */
function logScale(curve, values) {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  if (!(low > 0)) return null;
  return state.log ?? (curve.logarithmic && high > LOG_SPAN * low);
}

function renderChart() {
  const curve = CURVES[state.curve];
  const values = drawnValues(curve);
  const log = values.length ? logScale(curve, values) : null;
  renderLogBox(log);
  $("plot").querySelector("svg")?.remove();
  if (values.length) $("plot").prepend(draw(curve, values, log ?? false));
  $("curves-note").textContent = curveText(curve);
  renderLegend(curve);
}

function renderLogBox(log) {
  $("log").checked = log ?? false;
  $("log").disabled = log === null;
  $("log").title = log === null ? "Not all values are above 0." : "";
}

function draw(curve, values, log) {
  const width = Math.max(260, $("plot").clientWidth);
  const height = Math.round(Math.min(420, Math.max(220, width * 0.58)));
  const [low, high] = extent(curve, values, log);
  const vertical = axis(low, high, log, Math.round(height / 55));
  const x = (g) => MARGIN.left + ((g - 0.7) / (LAST - 0.4)) * (width - MARGIN.left - MARGIN.right);
  const y = (value) => height - MARGIN.bottom - vertical.place(value) * (height - MARGIN.top - MARGIN.bottom);
  chart = { curve, x, width, height };
  const order = ARMS.map((_, arm) => arm).sort((a, b) => (a === state.arm) - (b === state.arm) || b - a);
  const bands = order.map((arm) => band(seriesOf(curve, arm), arm, x, (v) => y(Math.max(v, low))));
  const lines = order.flatMap((arm) => armLines(curve, arm, x, y));
  return shape(
    "svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": chartLabel(curve) },
    ...grid(vertical.ticks, x, y, width, height), axisTitle(curve), nowLine(x, height), ...bands, ...lines,
    shape("line", { class: "hover", id: "hover", y1: MARGIN.top, y2: height - MARGIN.bottom, visibility: "hidden" }),
  );
}

const chartLabel = (curve) => `${curve.title}${curve.space ? `, space ${curve.space}` : ""}, over the generations for ${ARMS.map(({ name }) => name).join(", ")}. Its values stand below and in the table.`;

function grid(ticks, x, y, width, height) {
  const lines = ticks.flatMap((value) => [
    shape("line", { class: "rule", x1: MARGIN.left, x2: width - MARGIN.right, y1: y(value), y2: y(value) }),
    shape("text", { x: MARGIN.left - 8, y: y(value) + 4, "text-anchor": "end" }, format(value)),
  ]);
  const every = Math.ceil(LAST / Math.max(4, Math.floor(width / 60)));
  const named = Array.from({ length: LAST }, (_, k) => k + 1).filter((g) => (g - 1) % every === 0);
  const below = { y: height - MARGIN.bottom + 17, "text-anchor": "middle" };
  const middle = (MARGIN.left + width - MARGIN.right) / 2;
  return [
    ...lines, ...named.map((g) => shape("text", { x: x(g), ...below }, String(g))),
    shape("text", { x: middle, y: height - 3, "text-anchor": "middle" }, "generation"),
  ];
}

function axisTitle(curve) {
  return shape("text", { x: 4, y: 11 }, curve.unit);
}

function nowLine(x, height) {
  if (state.generation < 1) return shape("g");
  const place = x(state.generation);
  return shape("line", { class: "now", x1: place, x2: place, y1: MARGIN.top, y2: height - MARGIN.bottom });
}

const path = (points) => points.map(([px, py], k) => `${k ? "L" : "M"}${px.toFixed(1)} ${py.toFixed(1)}`).join("");

function band(points, arm, x, y) {
  const spread = points.filter(({ error }) => error !== null);
  const upper = spread.map(({ generation, mean, error }) => [x(generation), y(mean + error)]);
  const lower = spread.map(({ generation, mean, error }) => [x(generation), y(mean - error)]).reverse();
  return shape("path", { class: "band", style: armStyle(arm), d: path([...upper, ...lower]) || null });
}

/** Return the line of an arm with its markers, and the thin line of its baseline. The chosen arm is drawn stronger. */
function armLines(curve, arm, x, y) {
  const style = armStyle(arm);
  const width = arm === state.arm ? 2.6 : 1.6;
  const place = ({ generation, mean }) => [x(generation), y(mean)];
  const line = (points, size) => {
    const look = { class: "curve", style, "stroke-width": size, "stroke-dasharray": dashes(arm, Math.max(size, 1.6)) };
    return shape("path", { ...look, d: path(points.map(place)) || null });
  };
  const points = seriesOf(curve, arm);
  const thin = curve.baseline === null ? [] : [line(seriesOf(CURVES[curve.baseline], arm), 0.8)];
  return [...thin, line(points, width), ...points.map((point) => mark(arm, place(point), point.generation))];
}

function mark(arm, [px, py], generation) {
  const scale = generation === state.generation ? 1.7 : 1;
  const transform = `translate(${px.toFixed(1)} ${py.toFixed(1)}) scale(${scale})`;
  return shape("path", { class: "mark", style: armStyle(arm), d: MARKERS[ARMS[arm].marker], transform });
}

function curveText(curve) {
  const parts = [];
  if (Math.max(...ARMS.map((_, arm) => seedsOf(arm).length)) > 1) parts.push("Line: mean over seeds; band: one standard error.");
  if (curve.baseline !== null) parts.push(`Thin lines: ${CURVES[curve.baseline].title}.`);
  return parts.join(" ");
}

/** Return the picture of an arm's line and marker for legend and readout. */
function lineKey(arm) {
  const line = { class: "curve", d: "M1 7H37", "stroke-width": 1.8, "stroke-dasharray": dashes(arm, 1.8) };
  const marker = { class: "mark", d: MARKERS[ARMS[arm].marker], transform: "translate(19 7)" };
  const look = { class: "key", viewBox: "0 0 38 14", "aria-hidden": "true", style: armStyle(arm) };
  return shape("svg", look, shape("path", line), shape("path", marker));
}

function renderLegend(curve) {
  const entries = ARMS.map(({ name }, arm) => {
    const value = state.generation ? formatMean(overSeeds(curve, arm, state.generation)) : "";
    const look = { type: "button", "aria-pressed": String(arm === state.arm), "data-arm": arm };
    return element("li", {}, element("button", look, lineKey(arm), name, element("span", { class: "value" }, value)));
  });
  const focused = document.activeElement?.closest?.("#legend button")?.dataset.arm;
  $("legend").replaceChildren(...entries);
  if (focused !== undefined) $("legend").querySelector(`[data-arm="${focused}"]`).focus();
}

/** Return the generation under the pointer. */
function generationAt(event) {
  const left = event.clientX - $("plot").getBoundingClientRect().left;
  const [first, step] = [chart.x(1), chart.x(2) - chart.x(1)];
  return Math.min(LAST, Math.max(1, Math.round(1 + (left - first) / step)));
}

function showTip(event) {
  if (!chart) return;
  const generation = generationAt(event);
  const rows = ARMS.flatMap(({ name }, arm) => [
    lineKey(arm), element("span", {}, name),
    element("span", { class: "value" }, formatMean(overSeeds(chart.curve, arm, generation))),
  ]);
  const place = chart.x(generation);
  $("tip").replaceChildren(element("p", {}, `Generation ${generation}`), element("div", { class: "readout" }, ...rows));
  $("tip").hidden = false;
  const right = place < chart.width / 2;
  $("tip").style.left = right ? `${place + 14}px` : "auto";
  $("tip").style.right = right ? "auto" : `${chart.width - place + 14}px`;
  const line = $("hover");
  line.setAttribute("x1", place);
  line.setAttribute("x2", place);
  line.setAttribute("visibility", "visible");
}

function hideTip() {
  $("tip").hidden = true;
  $("hover")?.setAttribute("visibility", "hidden");
}
