import { explorer, range, signed } from "./kit.js";

const weights = (state) => range(9).map((n) => state[`w${n}`]);
const decode = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));

function convolve(pixels, width, height, kernel) {
  const rows = height - 2, columns = width - 2, numbers = new Int32Array(Math.max(0, rows * columns));
  for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) {
    let sum = 0;
    for (let n = 0; n < 9; n++) sum += kernel[n] * pixels[(i + Math.floor(n / 3)) * width + j + (n % 3)];
    numbers[i * columns + j] = sum;
  }
  return { rows, columns, numbers };
}

const count = (state) => ({ sum: weights(state).reduce((total, weight) => total + weight, 0) });

const shown = (sum) => sum > 0
  ? `In the picture each result is divided by ${sum}, so that 0 is black and 255 is white.`
  : "In the picture 0 is grey, what is more is brighter, what is less is darker.";
const say = (state, { sum }) =>
  `The weights are ${weights(state).map(signed).join(", ")} and add up to ${signed(sum)}: where all nine pixels are ` +
  `200, the result is ${signed(200 * sum)}. ${shown(sum)}`;

function bitmap(shades, width, height) {
  const canvas = document.createElement("canvas");
  Object.assign(canvas, { width, height });
  const paper = canvas.getContext("2d"), image = paper.createImageData(width, height);
  shades.forEach((shade, n) => image.data.set([shade, shade, shade, 255], 4 * n));
  paper.putImageData(image, 0, 0);
  return canvas.toDataURL();
}

function shades(numbers, sum) {
  if (sum > 0) return Array.from(numbers, (number) => Math.max(0, Math.min(255, number / sum)));
  const sizes = numbers.map(Math.abs).sort(), most = sizes[Math.floor(0.99 * (sizes.length - 1))] || 1;
  return Array.from(numbers, (number) => Math.max(0, Math.min(255, 127.5 * (1 + number / most))));
}

function draw({ add, state, now, width }) {
  const { pixels, columns: wide, rows: high } = state, photo = decode(pixels);
  const { rows, columns, numbers } = convolve(photo, wide, high, weights(state));
  const isBeside = width >= 480, across = isBeside ? Math.floor((width - 16) / 2) : width, scale = across / wide;
  const [x, y] = isBeside ? [across + 16, 22] : [0, high * scale + 50];
  add("text", { x: 0, y: 14 }, "the photograph");
  add("image", { href: bitmap(photo, wide, high), x: 0, y: 22, width: across, height: high * scale });
  add("text", { x, y: y - 8 }, "after the kernel");
  const result = bitmap(shades(numbers, now.sum), columns, rows);
  add("image", { href: result, x, y, width: columns * scale, height: rows * scale });
  return { size: [width, y + rows * scale] };
}

const title = "A photograph, and what nine weights make of it";
export default explorer({ title, count, say, draw, columns: 3 });
