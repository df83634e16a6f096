/** What a secret looks like as a picture. */
import jsQR from "jsqr";
import { expect, test } from "vitest";
import { qrPath } from "../src/ui/qr";

const PX = 4;
const token = `tgd_${"Az09_-".repeat(8).slice(0, 43)}`;

/** Its pixels, black on white, as a camera sees them. */
function drawn({ path, size }: ReturnType<typeof qrPath>): Uint8ClampedArray {
  const pixels = new Uint8ClampedArray((size * PX) ** 2 * 4).fill(255);

  for (const [, x, y] of path.matchAll(/M(\d+),(\d+)h1v1h-1z/g))
    for (let n = 0; n < PX * PX; n++) {
      const at = 4 * ((Number(y) * PX + Math.floor(n / PX)) * size * PX + Number(x) * PX + (n % PX));
      pixels.fill(0, at, at + 3);
    }
  return pixels;
}

test("a token is a code that is as wide as it has to be, with room around it", () => {
  const { path, size } = qrPath(token);

  expect(size).toBe(33 + 8);
  expect(path.startsWith("M4,4h1v1h-1z")).toBe(true);
  expect(path).not.toContain("M3,");
  expect(path).not.toContain(`M${size - 4},`);
});

test("what somebody else reads of it is the token and nothing else", () => {
  const code = qrPath(token);

  expect(jsQR(drawn(code), code.size * PX, code.size * PX)?.data).toBe(token);
});
