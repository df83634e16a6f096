/** What a secret looks like as a picture. */
import { expect, test } from "vitest";
import { qrPath } from "../src/ui/qr";

test("a token is a code that is as wide as it has to be, with room around it", () => {
  const { path, size } = qrPath(`tgd_${"x".repeat(43)}`);

  expect(size).toBe(33 + 8);
  expect(path.startsWith("M4,4h1v1h-1z")).toBe(true);
  expect(path).not.toContain("M3,");
  expect(path).not.toContain(`M${size - 4},`);
});
