// What is chosen. It stands in the address after #, so that a link or a reload shows the same.

const state = { arm: 0, seed: CHAINS[0].seed, generation: 1, curve: 0, log: null };

/** Change what is chosen and show it; what does not fit together is brought into range. */
function choose(changes) {
  Object.assign(state, changes);
  if (!seedsOf(state.arm).includes(state.seed)) state.seed = seedsOf(state.arm)[0];
  const chain = chainOf(state.arm, state.seed);
  const first = picturedOf(chain).length ? 0 : 1;
  state.generation = Math.min(Math.max(state.generation, first), lastOf(chain));
  if ("curve" in changes && !("log" in changes)) state.log = null;
  writeHash();
  render();
}

function writeHash() {
  const { metric, space } = CURVES[state.curve];
  const words = { arm: ARMS[state.arm].name, seed: state.seed, generation: state.generation, metric, space };
  if (state.log !== null) words.log = Number(state.log);
  const hash = "#" + new URLSearchParams(words);
  if (hash === location.hash) return;
  try {
    history.replaceState(null, "", hash);
  } catch {
    // A page inside another one (a data: address) has no history of its own; it works without.
  }
}

/** Return the choices that the address holds; what is unknown there is left out. */
function readHash() {
  const words = new URLSearchParams(location.hash.slice(1));
  const found = {};
  const arm = ARMS.findIndex(({ name }) => name === words.get("arm"));
  if (arm >= 0) found.arm = arm;
  if (/^\d+$/.test(words.get("seed"))) found.seed = Number(words.get("seed"));
  if (/^\d+$/.test(words.get("generation"))) found.generation = Number(words.get("generation"));
  const named = (curve) => curve.metric === words.get("metric") && (!words.get("space") || curve.space === words.get("space"));
  const curve = CURVES.findIndex(named);
  if (curve >= 0) found.curve = curve;
  if (["0", "1"].includes(words.get("log"))) found.log = words.get("log") === "1";
  return found;
}
