import { expect, test } from "vitest";
import { pictureOf } from "../src/data/picture";

test("a picture is an address that is called one, or ends like one", () => {
  expect(pictureOf({ confidence: 1, snapshot_url: "https://cam.example/s?id=3" })).toBe("https://cam.example/s?id=3");
  expect(pictureOf({ after: { thing: "https://cam.example/a/b.jpg?x=1" } })).toBe("https://cam.example/a/b.jpg?x=1");
});

test("what runs, what is no address and what is something else is none", () => {
  expect(pictureOf({ image: "javascript:alert(1)" })).toBeUndefined();
  expect(pictureOf({ image: "data:image/svg+xml,<svg onload=alert(1)>" })).toBeUndefined();
  expect(pictureOf({ image: "snapshot.jpg", page: "https://cam.example/" })).toBeUndefined();
  expect(pictureOf("https://cam.example/a.jpg")).toBeUndefined();
});
