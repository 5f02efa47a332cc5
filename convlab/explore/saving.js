import { explorer, grouped, percentOf, plural } from "./kit.js";

function count({ filters, kernel, multiplier }) {
  const taps = kernel * kernel;
  const standard = filters * taps, depthwise = multiplier * taps, pointwise = multiplier * filters;
  return { standard, depthwise, pointwise, separable: depthwise + pointwise };
}

const say = ({ filters, kernel, multiplier }, { standard, depthwise, pointwise, separable }) =>
  `M = ${filters}, K = ${kernel}, m = ${multiplier}, for one input channel at one position: the standard layer ` +
  `takes M·K² = ${plural(standard, "MAC")}, the separable layer m·K² + m·M = ${grouped(depthwise)} + ` +
  `${grouped(pointwise)} = ${grouped(separable)}. The share is m·(1/M + 1/K²) = ${percentOf(separable, standard)}.` +
  (separable < standard ? "" : " It saves nothing.");

function draw({ add, now, colors, width }) {
  const { standard, depthwise, pointwise, separable } = now, full = Math.min(width, 760);
  const scale = (full - 4) / Math.max(standard, separable), one = 2 + standard * scale;
  const line = { x1: one, x2: one, stroke: colors.highlight, "stroke-width": 3, "stroke-dasharray": "6 4" };
  const bar = (before, y, macs, fill) =>
    add("rect", { x: 2 + before * scale, y, width: macs * scale, height: 28, fill, stroke: colors.ink });
  add("text", { x: 2, y: 18 }, `standard ${grouped(standard)}`);
  bar(0, 26, standard, colors.inputTint);
  add("text", { x: 2, y: 84 }, `depthwise ${grouped(depthwise)} + pointwise ${grouped(pointwise)}`);
  bar(0, 92, depthwise, colors.kernel);
  bar(depthwise, 92, pointwise, colors.outputTint);
  for (const y of [22, 88]) add("line", { ...line, y1: y, y2: y + 36 });
  const anchor = { "text-anchor": one < full / 2 ? "start" : "end" };
  add("text", { x: one, y: 142, ...anchor }, "share 1");
  return { size: [full, 150] };
}

export default explorer({ title: "MACs of a separable layer, as a share of the standard layer's", count, say, draw });
