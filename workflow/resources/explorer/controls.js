// The controls, the keys, and the first picture.

const STEP = 800; // milliseconds that a generation stays while playing
const ICONS = { Play: "M3 1.5v13l11-6.5z", Pause: "M3 2h3.5v12h-3.5zM9.5 2h3.5v12h-3.5z" };
let player = null;

function render() {
  renderControls();
  renderImages();
  renderChart();
  renderTable();
}

function renderControls() {
  const chain = chainOf(state.arm, state.seed);
  const last = lastOf(chain);
  fillSelect($("arm"), ARMS.map(({ name }, arm) => [arm, name]), state.arm);
  fillSelect($("seed"), seedsOf(state.arm).map((seed) => [seed, seed]), state.seed);
  $("seed").disabled = seedsOf(state.arm).length < 2;
  $("metric").value = state.curve;
  const slider = $("generation");
  [slider.min, slider.max] = [picturedOf(chain).length ? 0 : 1, last];
  slider.value = state.generation;
  const text = state.generation ? `generation ${state.generation}` : "real data";
  slider.setAttribute("aria-valuetext", `${text} of ${last}`);
  $("now").textContent = text[0].toUpperCase() + text.slice(1);
  $("about").textContent = aboutArm(ARMS[state.arm]);
  renderTicks(Number(slider.min), last);
}

/** Say what sets an arm apart. There is a line for every arm, so that the page stands still when arms change. */
function aboutArm({ name, about }) {
  if (about) return `${name} differs by ${about}`;
  return ARMS.length > 1 ? `${name} is the config as it stands` : "";
}

function fillSelect(select, entries, chosen) {
  const values = entries.map(([value]) => String(value)).join();
  if (select.dataset.values !== values) {
    select.replaceChildren(...entries.map(([value, text]) => element("option", { value }, String(text))));
    select.dataset.values = values;
  }
  select.value = chosen;
}

function renderTicks(first, last) {
  const every = Math.ceil((last - first) / 12);
  const shown = Array.from({ length: last - first + 1 }, (_, k) => first + k).filter((g) => (g - first) % every === 0);
  const ticks = shown.map((g) => {
    const share = (100 * (g - first)) / Math.max(1, last - first);
    return element("span", { style: `left: ${share}%`, class: g === state.generation && "now" }, String(g));
  });
  $("ticks").replaceChildren(...ticks);
}

/** Fill the chooser of metrics, grouped by feature space. */
function fillMetrics() {
  const groups = groupsOfCurves().map(([space, curves]) => {
    const options = curves.map((position) => element("option", { value: position }, CURVES[position].title));
    return element("optgroup", { label: space ? `Space: ${space}` : "All spaces" }, ...options);
  });
  $("metric").replaceChildren(...groups);
}

function play(on) {
  clearInterval(player);
  player = null;
  const atEnd = () => state.generation >= Number($("generation").max);
  if (on) {
    if (atEnd()) choose({ generation: 0 });
    player = setInterval(() => (atEnd() ? play(false) : choose({ generation: state.generation + 1 })), STEP);
  }
  const name = on ? "Pause" : "Play";
  $("play").setAttribute("aria-label", name);
  $("play").replaceChildren(shape("svg", { viewBox: "0 0 16 16", "aria-hidden": "true" }, shape("path", { d: ICONS[name] })));
}

/** Choose a generation by hand, which stops the player. */
function go(generation) {
  play(false);
  choose({ generation });
}

/** Choose another arm, `step` further; after the last comes the first. */
const moveArm = (step) => choose({ arm: (state.arm + step + ARMS.length) % ARMS.length });

const KEYS = {
  ArrowLeft: () => go(state.generation - 1),
  ArrowRight: () => go(state.generation + 1),
  Home: () => go(0),
  End: () => go(LAST),
  ArrowUp: () => moveArm(-1),
  ArrowDown: () => moveArm(1),
  " ": () => play(player === null),
};

/** Return whether a key belongs to the element in focus: lists and buttons have their own. */
function ownKey(target, key) {
  if (target.matches("select")) return true;
  if (target.matches("button, input[type=checkbox]")) return key === " ";
  if (target.matches(".scroll")) return key === "ArrowLeft" || key === "ArrowRight";
  return false;
}

function onKey(event) {
  const { key, target } = event;
  const alone = !(event.ctrlKey || event.altKey || event.metaKey || event.shiftKey);
  const useless = ARMS.length < 2 && (key === "ArrowUp" || key === "ArrowDown");
  if (!alone || !(key in KEYS) || useless || ownKey(target, key)) return;
  event.preventDefault();
  KEYS[key]();
}

function listen() {
  $("controls").addEventListener("submit", (event) => event.preventDefault());
  $("arm").addEventListener("change", (event) => choose({ arm: Number(event.target.value) }));
  $("seed").addEventListener("change", (event) => choose({ seed: Number(event.target.value) }));
  $("generation").addEventListener("input", (event) => go(Number(event.target.value)));
  $("play").addEventListener("click", () => play(player === null));
  $("metric").addEventListener("change", (event) => choose({ curve: Number(event.target.value) }));
  $("log").addEventListener("change", (event) => choose({ log: event.target.checked }));
  $("plot").addEventListener("pointermove", showTip);
  $("plot").addEventListener("pointerleave", hideTip);
  $("plot").addEventListener("click", (event) => chart && go(generationAt(event)));
  onClick("legend", "button", (button) => choose({ arm: Number(button.dataset.arm) }));
  onClick("table", "button", (button) => choose({ curve: Number(button.dataset.curve) }));
  document.addEventListener("keydown", onKey);
  window.addEventListener("hashchange", () => choose(readHash()));
  window.addEventListener("resize", renderChart);
}

function onClick(id, selector, act) {
  $(id).addEventListener("click", (event) => {
    const found = event.target.closest(selector);
    if (found) act(found);
  });
}

/** Return the metric to begin with: the Fréchet distance, or else the first that is drawn. */
const firstCurve = () => Math.max(0, CURVES.findIndex(({ metric }) => metric === "fd"));

fillMetrics();
play(false);
document.querySelector(".for-arms").hidden = ARMS.length < 2;
listen();
choose({ curve: firstCurve(), ...readHash() });
