import { add, clamp, explorer, plural, range, signed } from "./kit.js";

function count({ size, kernel, stride, padding, dilation, channels, row, column }) {
  const span = dilation * (kernel - 1) + 1, padded = size + 2 * padding;
  if (span > padded) {
    return { problem:
      `the window spans ${span} and the padded image has ${padded} (height: ${size} + ${padding} + ${padding}); ` +
      "wanted a window no larger than the image: " +
      `kernel_size=(${kernel}, ${kernel}), dilation=(${dilation}, ${dilation})` };
  }
  const side = Math.floor((padded - span) / stride) + 1;
  const at = [row, column].map((n) => clamp(n, side - 1));
  const [rows, columns] = at.map((n) => range(kernel).map((u) => n * stride - padding + u * dilation));
  const [high, wide] = [rows, columns].map((taps) => taps.filter((n) => n >= 0 && n < size).length);
  const taps = kernel * kernel;
  return { span, padded, side, at, rows, columns, zeros: taps - high * wide, products: channels * taps };
}

function name(axis, taps) {
  const isRun = taps.length > 2 && taps[1] - taps[0] === 1;
  const numbers = isRun ? `${signed(taps[0])} to ${signed(taps.at(-1))}` : taps.map(signed).join(", ");
  return `${axis}${taps.length > 1 ? "s" : ""} ${numbers}`;
}

const say = ({ size, kernel, channels, groups }, { side, at, rows, columns, zeros, products }) =>
  `Output (${at.join(", ")}) of ${side} × ${side} is computed from ${name("row", rows)} and ` +
  `${name("column", columns)} of the ${size} × ${size} input; padding zeros among the ${kernel * kernel} numbers ` +
  `read: ${zeros}. One output number sums ${groups > 1 ? "C/g" : "C"}·K·K = ${channels}·${kernel}·${kernel} = ${plural(products, "product")}.`;

function draw({ add, state, now, colors, width }) {
  const { size, padding, stride } = state, { span, padded, side, at, rows, columns } = now;
  const [left, top] = [34, 24]; // room for the numbers of rows and columns
  const step = Math.max(padded + 2, 8), beside = step + Math.max(side, 6); // 8, 6: cells over a caption
  const isBeside = width >= left + 16 * beside, across = isBeside ? beside : Math.max(padded, side, 8);
  const unit = Math.min(26, (width - left - 4) / across);
  const [x, y] = isBeside ? [left + step * unit, top] : [left, top + padded * unit + 50];
  const cell = (x, y, fill, isMarked, text) => {
    add("rect", { x, y, width: unit, height: unit, fill, stroke: colors.ink, "stroke-width": isMarked ? 3 : 0.8 });
    if (text) add("text", { x: x + unit / 2, y: y + unit / 2 + 4.5, "text-anchor": "middle" }, text);
  };
  for (const isTap of [false, true]) { // the taps last: their outlines are wider
    for (const r of range(padded)) for (const c of range(padded)) {
      const [i, j] = [r - padding, c - padding], isInside = Math.min(i, j) >= 0 && Math.max(i, j) < size;
      if ((rows.includes(i) && columns.includes(j)) !== isTap) continue;
      const fill = isTap ? colors.kernel : isInside ? colors.inputTint : colors.padding;
      cell(left + c * unit, top + r * unit, fill, isTap, isInside || unit < 12 ? "" : "0"); // 12: room for a digit
    }
  }
  for (const n of range(padded)) {
    const label = signed(n - padding), middle = (n + 0.5) * unit;
    if (n % 2 && unit < 21) continue; // no room for each label
    add("text", { x: left - 5, y: top + middle + 4.5, "text-anchor": "end" }, label);
    add("text", { x: left + middle, y: top - 6, "text-anchor": "middle" }, label);
  }
  for (const r of range(side)) for (const c of range(side)) {
    const place = r * side + c, current = at[0] * side + at[1];
    if (place !== current) cell(x + c * unit, y + r * unit, place < current ? colors.outputTint : colors.paper);
  }
  cell(x + at[1] * unit, y + at[0] * unit, colors.highlight, true);
  add("text", { x: left, y: top + padded * unit + 20 }, `input ${size} × ${size}${padding ? ", padded" : ""}`);
  add("text", { x, y: y + side * unit + 20 }, `output ${side} × ${side}`);
  const find = (px, py) => {
    let [column, row] = [Math.floor((px - x) / unit), Math.floor((py - y) / unit)];
    if (Math.min(row, column) >= 0 && Math.max(row, column) < side) return { row, column };
    [column, row] = [Math.floor((px - left) / unit), Math.floor((py - top) / unit)];
    if (Math.min(row, column) < 0 || Math.max(row, column) >= padded) return null;
    const nearest = (n) => clamp(Math.round((n - (span - 1) / 2) / stride), side - 1); // the window around this cell
    return { row: nearest(row), column: nearest(column) };
  };
  const height = Math.max(top + padded * unit, y + side * unit) + 28;
  return { size: [left + across * unit + 4, height], find };
}

const move = (state, { side, at }, step) => {
  const [row, column] = at.map((n, axis) => clamp(n + step[axis], side - 1));
  return { row, column };
};
const title = "The window on the padded image, and the output; the arrow keys move it";
const hint = "Point at a cell to move the window, or reach the picture with Tab and press the arrow keys.";
export default explorer({ title, hint, count, say, draw, move });
