// A small line without axes: the shape of the last two minutes.

const NS = "http://www.w3.org/2000/svg";
const WIDTH = 120;
const HEIGHT = 32;
/** A young pipeline's line fills the width from this many samples on. */
const LEAST = 30;

export class Spark {
  constructor() {
    this.values = [];
    this.element = document.createElementNS(NS, "svg");
    this.element.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
    this.element.setAttribute("preserveAspectRatio", "none");
    this.element.setAttribute("class", "spark");
    this.element.setAttribute("aria-hidden", "true");
    [this.area, this.line] = ["area", "line"].map((name) => {
      const path = document.createElementNS(NS, "path");
      path.setAttribute("class", name);
      this.element.append(path);
      return path;
    });
  }

  set(values) {
    this.values = values.slice(-WIDTH);
    this.draw();
  }

  push(value) {
    this.set([...this.values, value]);
  }

  draw() {
    const highest = Math.max(...this.values.map((v) => v ?? 0), 1e-9);
    const stride = WIDTH / Math.max(this.values.length, LEAST);
    const x0 = WIDTH - (this.values.length - 1) * stride;
    const runs = [];
    let run = [];
    this.values.forEach((value, i) => {
      if (value === null || value === undefined) {
        if (run.length) runs.push(run);
        run = [];
      } else {
        run.push([x0 + i * stride, HEIGHT - 2 - (Math.max(value, 0) / highest) * (HEIGHT - 5)]);
      }
    });
    if (run.length) runs.push(run);
    const path = (points) => points.map(([x, y], i) => `${i ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`).join("");
    const close = (points) => `${path(points)}L${points.at(-1)[0].toFixed(1)} ${HEIGHT}L${points[0][0].toFixed(1)} ${HEIGHT}Z`;
    this.line.setAttribute("d", runs.map(path).join(""));
    this.area.setAttribute("d", runs.map(close).join(""));
  }
}
