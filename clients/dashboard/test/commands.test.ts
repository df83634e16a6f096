import type { CommandUpdate } from "@tidegate/client";
import { expect, test } from "vitest";
import { joined, type Sent } from "../src/commands/useCommands";

const sent = (id: string, state: string, created_at = "2026-01-01T00:00:00Z"): Sent => ({
  command_id: id, state, device_id: 1, device_code: "dev-1", user: "ana", action: id, payload: {}, message: null, created_at, updated_at: created_at,
});
const update = (command_id: string, state: string, message?: string) => ({ command_id, state, message }) as CommandUpdate;

test("what the list says and what comes live is one, whichever is newer", () => {
  const updates = [update("a", "accepted"), update("a", "published"), update("b", "executing", "50 %"), update("c", "executing"), update("x", "done")];
  const found = joined([sent("a", "accepted"), sent("b", "accepted", "2026-01-02T00:00:00Z"), sent("c", "done", "2025-01-01T00:00:00Z")], updates);

  expect(found.map(({ action, states, state, message }) => [action, states.join(), state, message])).toEqual([
    ["b", "executing", "executing", "50 %"], ["a", "accepted,published", "published", null], ["c", "executing,done", "done", null],
  ]);
});

test("a command does not go back, whichever of the two has missed something", () => {
  const found = joined([sent("a", "delivered"), sent("b", "published"), sent("c", "expired")], [update("a", "published"), update("b", "executing"), update("c", "published")]);

  expect(found.map(({ action, state }) => [action, state])).toEqual([["c", "expired"], ["b", "executing"], ["a", "delivered"]]);
});
