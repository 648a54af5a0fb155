// Axes: from numbers to screen pixels, and where the ticks stand.

/** Return {ticks, place}: the values with a line, and the function from a value to a share of the axis (0 to 1). */
function axis(low, high, log, most) {
  const turn = log ? Math.log10 : (value) => value;
  const [from, to] = [turn(low), turn(high)];
  const place = (value) => (turn(value) - from) / (to - from);
  return { ticks: log ? logTicks(low, high, most) : linearTicks(low, high, most), place };
}

function linearTicks(low, high, most) {
  const rough = (high - low) / most;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 5, 10].find((factor) => factor * power >= rough * 0.999);
  const first = Math.ceil(low / step - 1e-9);
  const last = Math.floor(high / step + 1e-9);
  return Array.from({ length: last - first + 1 }, (_, k) => Number(((first + k) * step).toPrecision(12)));
}

function logTicks(low, high, most) {
  const decades = Math.log10(high / low);
  if (decades < 0.7) return linearTicks(low, high, most);
  const factors = decades < 2.5 ? [1, 2, 5] : [1];
  const every = Math.ceil(decades / most);
  const found = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); power += every) {
    found.push(...factors.map((factor) => Number((factor * 10 ** power).toPrecision(3))));
  }
  return found.filter((value) => value >= low * 0.999 && value <= high * 1.001);
}

/** Return [lowest, highest] of the axis for values of a curve. */
function extent(curve, values, log) {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  if (log) return low < high ? [low / 1.08, high * 1.08] : [low / 2, high * 2];
  if (curve.share === true) return [0, 1];
  if (curve.share === false) return [0, Math.max(0.1, 1.08 * high)];
  const apart = low < high ? 0.06 * (high - low) : Math.abs(high) * 0.1 || 1;
  return [low >= 0 && low < apart ? 0 : low - apart, high + apart];
}
