import { explorer, grouped, percentOf, plural, range } from "./kit.js";

function count({ inputs, outputs, groups, high, wide }) {
  const [name, channels] = inputs % groups ? ["in_channels", inputs] : ["out_channels", outputs];
  if (channels % groups) {
    const possible = range(Math.min(inputs, outputs)).map((n) => n + 1).filter((n) => !(inputs % n || outputs % n));
    const last = possible.pop(), wanted = possible.length ? `${possible.join(", ")} or ${last}` : last;
    return { problem:
      `groups=${groups} does not divide ${name}=${channels}; it must divide both ${inputs} and ${outputs}: ${wanted}` };
  }
  const each = inputs / groups, group = (m) => Math.floor((m * groups) / outputs);
  const pairs = range(outputs).flatMap((m) => range(each).map((c) => [m, group(m) * each + c]));
  const weights = outputs * each * high * wide;
  const one = high * wide === 1 ? "pointwise" : "standard", many = each === 1 ? "depthwise" : "grouped";
  return { kind: groups === 1 ? one : many, each, pairs, weights };
}

const say = ({ inputs, outputs, groups, high, wide }, { kind, each, pairs, weights }) =>
  `${kind}, g = ${groups}: each output sees C/g = ${each} of ${plural(inputs, "channel")}; ` +
  `${pairs.length} of ${inputs * outputs} channel pairs have a kernel. ${high}×${wide} kernels: ` +
  `${plural(weights, "weight")} and ${plural(weights, "MAC")} per output position, ` +
  `${percentOf(1, groups)} of the standard layer's ${grouped(weights * groups)}.`;

function draw({ add, state, now, colors, width }) {
  const { inputs, outputs, groups } = state, step = 28, most = Math.max(inputs, outputs);
  const sides = [[56, inputs, colors.input, colors.paper, "input channel"]];
  sides.push([Math.min(width, 420) - 56, outputs, colors.output, colors.ink, "output channel"]);
  const y = (n, total) => ((most - total) / 2 + n + 0.5) * step;
  for (const [m, c] of now.pairs) {
    const dashes = ["none", "8 4", "2 3", "8 3 2 3"][Math.floor(c / now.each) % 4]; // another one than its neighbours
    const ends = { x1: sides[0][0], y1: y(c, inputs), x2: sides[1][0], y2: y(m, outputs) };
    add("line", { ...ends, stroke: colors.wire, "stroke-width": 1.5, "stroke-dasharray": dashes });
  }
  sides.forEach(([x, total, fill, ink, name], side) => {
    for (const n of range(total)) {
      const letter = groups > 1 ? String.fromCharCode(65 + Math.floor((n * groups) / total)) : "";
      const text = { y: y(n, total) + 4.5, "text-anchor": "middle" };
      add("circle", { cx: x, cy: y(n, total), r: 12, fill, stroke: colors.ink });
      add("text", { x, ...text, style: `fill: ${ink}` }, n);
      add("text", { x: x + (side ? 24 : -24), ...text, style: "font-weight: bold" }, letter);
    }
    add("text", { x, y: most * step + 18, "text-anchor": "middle" }, name);
  });
  return { size: [Math.min(width, 420), most * step + 26] };
}

export default explorer({ title: "Which input channels each output channel sees", count, say, draw });
