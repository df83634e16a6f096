/* A chart of the latest positions: equirectangular, fitted to the fleet, drawn on a canvas. */

const MARGIN = 46;
const MIN_SPAN = 0.004; /* degrees: a lone vehicle is not blown up to the width of the chart */

export const COLOURS = [
  "#1c7ed6", "#e8590c", "#2f9e44", "#ae3ec9", "#e03131", "#0c8599", "#f08c00", "#6741d9",
  "#c2255c", "#66a80f",
];

function niceStep(span) {
  const raw = span / 5;
  const power = 10 ** Math.floor(Math.log10(raw));
  return [1, 2, 5, 10].map((n) => n * power).find((n) => n >= raw);
}

function degrees(value, positive, negative, step) {
  const digits = Math.max(0, Math.ceil(-Math.log10(step)));
  return `${Math.abs(value).toFixed(digits)}° ${value < 0 ? negative : positive}`;
}

export class FleetMap {
  constructor(canvas, onPick) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d");
    this.points = []; /* as drawn, for picking */
    canvas.addEventListener("click", (event) => {
      const box = canvas.getBoundingClientRect();
      const x = event.clientX - box.left;
      const y = event.clientY - box.top;
      const near = this.points
        .map((p) => ({ id: p.id, distance: Math.hypot(p.x - x, p.y - y) }))
        .sort((a, b) => a.distance - b.distance)[0];
      onPick(near && near.distance < 28 ? near.id : null);
    });
  }

  /* The box around all positions, moved only when needed: the chart must not swim. */
  fit(vehicles) {
    const box = { west: Infinity, east: -Infinity, south: Infinity, north: -Infinity };
    for (const vehicle of vehicles) {
      for (const point of vehicle.trail) {
        box.west = Math.min(box.west, point.longitude);
        box.east = Math.max(box.east, point.longitude);
        box.south = Math.min(box.south, point.latitude);
        box.north = Math.max(box.north, point.latitude);
      }
    }
    const old = this.box;
    const isInside = old && box.west >= old.west && box.east <= old.east
      && box.south >= old.south && box.north <= old.north;
    const isSmall = old && (box.east - box.west) < 0.45 * (old.east - old.west)
      && (box.north - box.south) < 0.45 * (old.north - old.south);
    if (isInside && !isSmall) return old;

    const padX = Math.max(MIN_SPAN, (box.east - box.west) * 0.12);
    const padY = Math.max(MIN_SPAN, (box.north - box.south) * 0.12);
    this.box = {
      west: box.west - padX, east: box.east + padX,
      south: Math.max(-90, box.south - padY), north: Math.min(90, box.north + padY),
    };
    return this.box;
  }

  draw(vehicles, selected) {
    const { canvas, context: g } = this;
    const ratio = window.devicePixelRatio || 1;
    const width = canvas.clientWidth;
    const height = canvas.clientHeight;
    if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(height * ratio);
    }
    g.setTransform(ratio, 0, 0, ratio, 0, 0);
    g.clearRect(0, 0, width, height);
    this.points = [];

    const style = getComputedStyle(document.documentElement);
    this.ink = style.getPropertyValue("--text").trim();
    this.muted = style.getPropertyValue("--muted").trim();
    this.grid = style.getPropertyValue("--grid").trim();
    this.card = style.getPropertyValue("--card").trim();

    const placed = vehicles.filter((vehicle) => vehicle.trail.length > 0);
    if (placed.length === 0) {
      g.fillStyle = this.muted;
      g.font = "14px system-ui, sans-serif";
      g.textAlign = "center";
      g.fillText("No position received yet", width / 2, height / 2);
      return;
    }

    const box = this.fit(placed);
    const squeeze = Math.max(0.05, Math.cos(((box.south + box.north) / 2) * Math.PI / 180));
    const scale = Math.min((width - 2 * MARGIN) / ((box.east - box.west) * squeeze),
      (height - 2 * MARGIN) / (box.north - box.south));
    const middleX = (box.west + box.east) / 2;
    const middleY = (box.south + box.north) / 2;
    const project = (point) => ({
      x: width / 2 + (point.longitude - middleX) * squeeze * scale,
      y: height / 2 - (point.latitude - middleY) * scale,
    });

    const view = {
      width, height, project,
      west: middleX - width / 2 / scale / squeeze, east: middleX + width / 2 / scale / squeeze,
      south: middleY - height / 2 / scale, north: middleY + height / 2 / scale,
    };
    this.drawGrid(view);
    this.drawScale(view, scale);
    for (const vehicle of placed) this.drawTrail(vehicle, project, selected);
    const isCrowded = placed.length > 40;
    for (const vehicle of placed) this.drawVehicle(vehicle, project, selected, isCrowded);
  }

  drawGrid(view) {
    const { context: g } = this;
    const step = niceStep(Math.max(view.north - view.south, 1e-4));
    g.strokeStyle = this.grid;
    g.fillStyle = this.muted;
    g.lineWidth = 1;
    g.font = "11px system-ui, sans-serif";

    g.textAlign = "left";
    for (let lat = Math.ceil(view.south / step) * step; lat <= view.north; lat += step) {
      const { y } = view.project({ latitude: lat, longitude: 0 });
      g.beginPath();
      g.moveTo(0, y);
      g.lineTo(view.width, y);
      g.stroke();
      if (y > 14 && y < view.height - 20) g.fillText(degrees(lat, "N", "S", step), 6, y - 4);
    }
    g.textAlign = "center";
    for (let lon = Math.ceil(view.west / step) * step; lon <= view.east; lon += step) {
      const { x } = view.project({ latitude: 0, longitude: lon });
      g.beginPath();
      g.moveTo(x, 0);
      g.lineTo(x, view.height);
      g.stroke();
      if (x > 60 && x < view.width - 40) g.fillText(degrees(lon, "E", "W", step), x, view.height - 6);
    }
  }

  drawScale(view, scale) {
    const { context: g } = this;
    const metresPerPixel = 111320 / scale;
    const metres = niceStep(metresPerPixel * 500);
    const pixels = metres / metresPerPixel;
    const x = view.width - 14 - pixels;
    const y = 20;
    g.strokeStyle = this.ink;
    g.lineWidth = 2;
    g.beginPath();
    g.moveTo(x, y - 4);
    g.lineTo(x, y);
    g.lineTo(x + pixels, y);
    g.lineTo(x + pixels, y - 4);
    g.stroke();
    g.fillStyle = this.ink;
    g.textAlign = "center";
    g.font = "11px system-ui, sans-serif";
    g.fillText(metres >= 1000 ? `${metres / 1000} km` : `${metres} m`, x + pixels / 2, y + 13);
  }

  drawTrail(vehicle, project, selected) {
    const { context: g } = this;
    const isFaint = selected !== null && vehicle.id !== selected;
    g.strokeStyle = vehicle.colour;
    g.globalAlpha = isFaint ? 0.15 : 0.55;
    g.lineWidth = vehicle.id === selected ? 3 : 2;
    g.lineJoin = "round";
    g.beginPath();
    vehicle.trail.forEach((point, i) => {
      const { x, y } = project(point);
      if (i === 0) g.moveTo(x, y);
      else g.lineTo(x, y);
    });
    g.stroke();
    g.globalAlpha = 1;
  }

  drawVehicle(vehicle, project, selected, isCrowded) {
    const { context: g } = this;
    const { x, y } = project(vehicle.trail[vehicle.trail.length - 1]);
    const isSelected = vehicle.id === selected;
    this.points.push({ id: vehicle.id, x, y });
    g.globalAlpha = selected !== null && !isSelected ? 0.45 : 1;

    g.save();
    g.translate(x, y);
    g.fillStyle = vehicle.colour;
    g.strokeStyle = this.card;
    g.lineWidth = 2;
    g.beginPath();
    if (Number.isFinite(vehicle.heading)) {
      g.rotate(vehicle.heading * Math.PI / 180);
      g.moveTo(0, -11);
      g.lineTo(7, 8);
      g.lineTo(0, 4);
      g.lineTo(-7, 8);
      g.closePath();
    } else {
      g.arc(0, 0, 6, 0, 2 * Math.PI);
    }
    g.fill();
    g.stroke();
    g.restore();

    if (isSelected) {
      g.strokeStyle = vehicle.colour;
      g.lineWidth = 2;
      g.beginPath();
      g.arc(x, y, 16, 0, 2 * Math.PI);
      g.stroke();
    }
    if (!isCrowded || isSelected) {
      g.font = `${isSelected ? "700" : "600"} 12px system-ui, sans-serif`;
      g.textAlign = "left";
      g.lineWidth = 3;
      g.strokeStyle = this.card;
      g.strokeText(vehicle.name, x + 12, y + 4);
      g.fillStyle = this.ink;
      g.fillText(vehicle.name, x + 12, y + 4);
    }
    g.globalAlpha = 1;
  }
}
