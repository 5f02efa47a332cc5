// What the explorers share. The model holds sliders [key, label, low, high], state (key → number) and colors.

const range = (count) => Array.from({ length: count }, (_, n) => n);
const grouped = (number) => number.toLocaleString("en-US");
const plural = (count, noun) => `${grouped(count)} ${noun}${count === 1 ? "" : "s"}`;
const signed = (number) => String(number).replace("-", "−");
const percentOf = (part, whole) => `${Math.floor((20000 * part + whole) / (2 * whole)) / 100} %`; // a half upwards
const clamp = (number, last) => Math.max(0, Math.min(last, number));

function add(parent, tag, attributes = {}, text = "") {
  const isDrawn = tag === "svg" || parent.namespaceURI.endsWith("svg");
  const node = document.createElementNS(isDrawn ? "http://www.w3.org/2000/svg" : parent.namespaceURI, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.textContent = text;
  return parent.appendChild(node);
}

const css = ({ ink, paper, input, highlight }) => `
.convlab-explorer { background: ${paper}; color: ${ink}; color-scheme: light; border: 1px solid ${ink};
  border-radius: 4px; padding: 12px; max-width: 800px; box-sizing: border-box; font: 15px/1.45 system-ui, sans-serif }
.convlab-explorer .sliders { display: grid; grid-template-columns: repeat(auto-fit, minmax(130px, 1fr)); gap: 6px 20px }
.convlab-explorer label { display: flex; flex-wrap: wrap; min-width: 0 }
.convlab-explorer b { margin-left: auto }
.convlab-explorer input { width: 100%; min-height: 24px; margin: auto 0 0; accent-color: ${input} }
.convlab-explorer p { margin: 10px 0; color: ${ink} }
.convlab-explorer [role=status] { min-height: 2.9em }
.convlab-explorer svg { display: block; max-width: 100% }
.convlab-explorer text { font: 13px system-ui, sans-serif; fill: ${ink} }
.convlab-explorer :focus-visible { outline: 3px solid ${highlight}; outline-offset: 2px }`;

// An explorer is made of four functions. count(state) gives numbers, or { problem: a sentence }; say(state, numbers)
// puts them into a sentence; draw({ add, state, now, colors, width }) draws them and gives the size of the drawing.
// If the reader can move something, draw also gives find(x, y), the change of the state for a point of the drawing,
// and move(state, numbers, [down, right]) gives the change for an arrow key.
const explorer = ({ title, count, say, draw, move, hint, columns }) => ({
  count,
  tell: (state) => count(state).problem ?? say(state, count(state)),
  render({ model, el }) {
    const colors = model.get("colors"), state = () => model.get("state");
    const panel = add(el, "div", { class: "convlab-explorer", role: "group", "aria-label": title });
    add(panel, "style", {}, css(colors));
    const change = (part) => {
      if (Object.keys(part).every((key) => part[key] === state()[key])) return;
      model.set("state", { ...state(), ...part });
      model.save_changes();
    };
    const grid = columns ? { style: `grid-template-columns: repeat(${columns}, minmax(0, 1fr))` } : {};
    const form = add(panel, "div", { class: "sliders", ...grid });
    const sliders = model.get("sliders").map(([key, name, min, max]) => {
      const label = add(form, "label", {}, name), value = add(label, "b", { "aria-hidden": true });
      const keys = { "data-lm-suppress-shortcuts": true }; // else JupyterLab takes the arrow keys
      const input = add(label, "input", { type: "range", min, max, step: 1, autocomplete: "off", ...keys });
      input.addEventListener("input", () => change({ [key]: Number(input.value) }));
      return () => { input.value = state()[key]; value.textContent = signed(state()[key]); };
    });
    const status = add(panel, "p", { role: "status" });
    if (hint) add(panel, "p", {}, hint);
    const svg = add(panel, "svg", { role: move ? "application" : "img", "aria-label": title });
    const sheet = add(svg, "g", { "aria-hidden": true }); // the sentence says what is in it
    let drawn = {};
    const update = () => {
      const now = count(state());
      sliders.forEach((show) => show());
      status.textContent = now.problem ?? say(state(), now);
      sheet.replaceChildren();
      drawn = {};
      if (now.problem) return;
      const paint = (tag, attributes, text) => add(sheet, tag, attributes, text);
      drawn = draw({ add: paint, state: state(), now, colors, width: Math.max(240, panel.clientWidth - 24) });
      const [width, height] = drawn.size;
      for (const [name, value] of [["width", width], ["height", height], ["viewBox", `0 0 ${width} ${height}`]]) {
        svg.setAttribute(name, value);
      }
    };
    if (move) {
      svg.setAttribute("tabindex", 0);
      svg.setAttribute("data-lm-suppress-shortcuts", true);
      svg.addEventListener("keydown", (event) => {
        const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
        if (!step || event.ctrlKey || event.metaKey || event.altKey) return;
        event.preventDefault();
        event.stopPropagation();
        if (drawn.find) change(move(state(), count(state()), step));
      });
      const point = (event) => {
        const box = svg.getBoundingClientRect(), scale = drawn.find ? drawn.size[0] / box.width : 0;
        const found = scale && drawn.find((event.clientX - box.left) * scale, (event.clientY - box.top) * scale);
        if (found) change(found);
      };
      svg.addEventListener("pointermove", point);
      svg.addEventListener("pointerdown", point);
    }
    model.on("change:state", update);
    update();
    let width = panel.clientWidth;
    const observer = new ResizeObserver(() => {
      if ([0, width].includes(panel.clientWidth)) return; // 0: JupyterLab took the cell out of the page
      width = panel.clientWidth;
      update();
    });
    observer.observe(panel);
    return () => observer.disconnect();
  },
});
