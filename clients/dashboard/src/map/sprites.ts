/** Vehicles drawn once for each heading and look, since drawing a picture is much cheaper than drawing a path. */

export type Look = "moving" | "still" | "stale" | "selected";

const COLOURS: Record<"light" | "dark", Record<Look | "edge" | "text", string>> = {
  light: { moving: "#0b7285", still: "#5b7580", stale: "#8a979d", selected: "#d9480f", edge: "#ffffff", text: "#ffffff" },
  dark: { moving: "#3cc3dd", still: "#8aa3ae", stale: "#6b7c85", selected: "#ff922b", edge: "#0d161b", text: "#04222a" },
};
const LOOKS: Look[] = ["moving", "still", "stale", "selected"];
const HEADINGS = 72;
const CELL = 28;

export class Sprites {
  readonly ratio: number;
  readonly isDark: boolean;
  readonly colours: (typeof COLOURS)["light"];
  #atlas = document.createElement("canvas");

  constructor(ratio: number, isDark: boolean) {
    this.ratio = ratio;
    this.isDark = isDark;
    this.colours = COLOURS[isDark ? "dark" : "light"];
    this.#atlas.width = CELL * (HEADINGS + 1) * ratio;
    this.#atlas.height = CELL * LOOKS.length * ratio;
    const pen = this.#atlas.getContext("2d")!;
    LOOKS.forEach((look, row) => {
      for (let n = 0; n <= HEADINGS; ++n) {
        pen.setTransform(ratio, 0, 0, ratio, (n + 0.5) * CELL * ratio, (row + 0.5) * CELL * ratio);
        this.#shape(pen, look, n === HEADINGS ? NaN : (n * 2 * Math.PI) / HEADINGS);
      }
    });
  }

  #shape(pen: CanvasRenderingContext2D, look: Look, angle: number): void {
    const size = look === "selected" ? 1.25 : 1;

    pen.beginPath();
    if (Number.isNaN(angle)) {
      pen.arc(0, 0, 5 * size, 0, 2 * Math.PI);
    } else {
      pen.rotate(angle);
      pen.moveTo(0, -9 * size);
      pen.lineTo(6 * size, 7 * size);
      pen.lineTo(0, 4 * size);
      pen.lineTo(-6 * size, 7 * size);
      pen.closePath();
    }
    pen.lineJoin = "round";
    pen.lineWidth = 2.5;
    pen.strokeStyle = this.colours.edge;
    pen.fillStyle = this.colours[look];
    pen.stroke();
    pen.fill();
  }

  draw(pen: CanvasRenderingContext2D, look: Look, heading: number, x: number, y: number): void {
    const n = Number.isNaN(heading) ? HEADINGS : ((Math.round((heading * HEADINGS) / 360) % HEADINGS) + HEADINGS) % HEADINGS;
    const px = CELL * this.ratio;

    pen.drawImage(this.#atlas, n * px, LOOKS.indexOf(look) * px, px, px, x - CELL / 2, y - CELL / 2, CELL, CELL);
  }

  circle(pen: CanvasRenderingContext2D, x: number, y: number, r: number, n: number): void {
    pen.beginPath();
    pen.arc(x, y, r, 0, 2 * Math.PI);
    pen.fillStyle = this.colours.moving;
    pen.strokeStyle = this.colours.edge;
    pen.lineWidth = 2;
    pen.fill();
    pen.stroke();
    pen.fillStyle = this.colours.text;
    pen.font = "600 11px system-ui, sans-serif";
    pen.textAlign = "center";
    pen.textBaseline = "middle";
    pen.fillText(n < 1000 ? `${n}` : `${(n / 1000).toFixed(n < 10_000 ? 1 : 0)}k`, x, y + 0.5);
  }
}
