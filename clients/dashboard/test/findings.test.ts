/** What the operator's page makes of what the gateway says. */
import { describe, expect, test } from "vitest";
import { findings, lasts } from "../src/operation/findings";
import { clusterFindings, isCluster } from "../src/operation/cluster";
import { readMetrics, type Readiness, type Stats, type Told } from "../src/operation/gateway";
import { added, growth, MOST, sampleOf, since, type Sample } from "../src/operation/history";

const AT = Date.parse("2026-04-27T10:00:00Z");
const stats: Stats = {
  timestamp: "2026-04-27T10:00:00.000Z", active_connections: 3, slowest: [],
  accounting: { received: 10, committed: 8, duplicate: 1, in_journal: 1, dead_lettered: 0 },
  rates: { received_per_second: 5, committed_per_second: 4, offered_per_second: 9, sent_per_second: 8 },
  fanout: { queued_bytes: 100, closed_slow: 0 }, connections_by_dialect: { A: 3 }, outbox: { length: 2, dropped: 0 },
  journal: { bytes: 5000, segments: 1, full: false }, lease: { held: true, holder: null }, database: { connected: true }, mqtt: { connected: true },
};
const told = (ready: Partial<Readiness> = {}, metrics = ""): Told => ({ stats, ready: { status: "ready", ...ready }, metrics: readMetrics(metrics) });
const sample = (change: Partial<Sample> = {}): Sample => ({ ...sampleOf(told({}, "tidegate_db_lag_seconds 0.2")), ...change });
const titles = (one: Told, history: Sample[]) => findings(one, history).map(({ title }) => title);

test("metrics are read with their labels", () => {
  const metrics = readMetrics("# HELP a b 1\n# TYPE a gauge\na 1.5\nb_total{reason=\"x y\"} 7\n\n");

  expect([...metrics]).toEqual([["a", 1.5], ['b_total{reason="x y"}', 7]]);
});

describe("of what the gateway said", () => {
  test("only the last five minutes are kept", () => {
    let history: Sample[] = [];

    for (let n = 0; n < MOST + 5; n++) history = added(history, sample({ at: n }));
    expect([history.length, history[0]!.at]).toEqual([MOST, 5]);
  });

  test("the beginning of a fault is exact where it was seen", () => {
    const bad = { wrong: ["database_away"] };

    expect(since([sample({ at: 1 }), sample({ at: 2, ...bad }), sample({ at: 3, ...bad })], "database_away")).toEqual({ at: 2, isExact: true });
    expect(since([sample({ at: 2, ...bad }), sample({ at: 3, ...bad })], "database_away")).toEqual({ at: 2, isExact: false });
    expect(since([sample({ at: 1, ...bad }), sample({ at: 2 })], "database_away")).toBeUndefined();
  });

  test("a counter that began anew with the gateway counts on", () => {
    expect(growth([7, 9, 0, 3].map((lettered) => sample({ lettered })), "lettered")).toBe(5);
  });
});

describe("a finding", () => {
  test("there is none where all is well", () => {
    expect(findings(told(), [sample()])).toEqual([]);
  });

  test("says since when, how many wait and how long", () => {
    const away = { lagSeconds: 0, wrong: ["database_away"] };
    const history = [sample({ at: AT - 60_000 }), sample({ at: AT - 42_000, ...away }), sample({ at: AT, ...away })];
    const [found] = findings(told({ status: "not_ready", reasons: ["database_away"], sqlstate: "57P03" }), history);

    expect(found).toMatchObject({ level: "bad", key: "database_away" });
    expect(found!.title).toMatch(/^The database is away, since /);
    expect(found!.hint).toContain("1 message waits, 42 s old. PostgreSQL says 57P03.");
  });

  test("stands before what is less bad, and one that is not known is named", () => {
    expect(titles(told({ notes: ["dead_letters_many"], reasons: ["broker_away", "<b>new</b>"] }), [])).toEqual(
      ["The MQTT broker is away", "The gateway says: <b>new</b>", "There are many dead letters"]);
  });

  test("is a journal that is nearly full, and how long it lasts", () => {
    const near = (bytes: number, full = false): Told => ({ ...told({}, "tidegate_journal_kept_bytes 1000"), stats: { ...stats, journal: { bytes, high_bytes: 10_000, segments: 1, full } } });
    const history = [sample({ at: AT - 60_000, journalBytes: 7000 }), sample({ at: AT, journalBytes: 8000 })];

    expect(findings(near(8400), history)).toEqual([]);
    expect(findings(near(9000), history)).toMatchObject([{ level: "warn", title: "The journal is 80 % full" }]);
    expect(findings(near(9000), history)[0]!.hint).toMatch(/^At the pace of now it is full in 2 min\. When it is full nothing more is taken in/);
    expect(findings(near(9000), history.slice(1))[0]!.hint).toMatch(/^When it is full/);
    expect(findings(near(11_500, true), history)).toEqual([]);
  });

  test.each([
    ["devices", "tidegate_devices 76000", 'tidegate_limit{of="devices"}', "76,000 of 100,000 devices are there"],
    ["sparkplug_things", "tidegate_sparkplug_things 75000", 'tidegate_limit{of="sparkplug_things"}', "The births of 75,000 of 100,000 nodes and devices of Sparkplug are remembered"],
    ["merged_documents", "tidegate_merged_documents 100000", 'tidegate_limit{of="merged_documents"}', "The changes of 100,000 of 100,000 devices are laid over each other"],
  ])("is that there are nearly as many as may be: %s", (of, used, limit, title) => {
    expect(findings(told({}, `${used}\n${limit} 100000`), [])).toMatchObject([{ level: "warn", key: `near_${of}`, title }]);
    expect(findings(told({}, `${used}\n${limit} 110000000`), [])).toEqual([]);
    expect(findings(told({}, `${used}\n${limit} 0`), [])).toEqual([]);
  });

  test("is that nearly all sockets are taken", () => {
    const near = (active_connections: number): Told => ({ ...told({}, 'tidegate_limit{of="sockets"} 20'), stats: { ...stats, active_connections } });

    expect(findings(near(14), [])).toEqual([]);
    expect(findings(near(15), [])).toMatchObject([{ level: "warn", title: "15 of 20 sockets are taken" }]);
  });

  test("is what has grown while somebody looked", () => {
    const history = [sample({ at: AT - 120_000 }), sample({ at: AT, lettered: 3, shut: 1, unshown: 2, lagSeconds: 300 })];

    expect(titles(told(), history)).toEqual(["The database does not keep up: 5 min behind", "3 messages could not be used in the last 2 min",
      "2 messages were not shown live in the last 2 min", "1 viewer was too slow and was shut in the last 2 min"]);
  });
});

test("a time is as long as people say it", () => {
  expect([0.25, 42, 300, 9000, NaN].map(lasts)).toEqual(["0.3 s", "42 s", "5 min", "2.5 h", "–"]);
});

test("of a cluster it is said who is missing, which slot nobody has, and what is not stored, the worst first", () => {
  const node = { host: "h", advertise: null, version: "1", draining: false, last_seen: "2026-01-01T00:00:00Z", waiting: 0, slots: 1, figures: null };
  const slot = { slot: 0, state: "held", node: "n1" } as const;
  const left = { slot: 1, journal: "ab", node: "n2", what: "in_journal", after: 0, last: 1_796_029_780_016_217, messages: null, since: "2026-01-01T00:00:00Z" } as const;
  const told = { nodes: [{ ...node, node: "n1", answered: true }, { ...node, node: "n2", answered: false }], drained: ["n1", "n3"], slots: [slot, { ...slot, slot: 1, state: "free", node: null }], missing: [left, { ...left, what: "gone", messages: 3 }] } as const;
  const titles = clusterFindings(told).map(({ level, title }) => `${level}: ${title}`);

  expect(titles[0]).toBe("bad: Nobody has slot 1");
  expect(titles[1]).toMatch(/^bad: Neither database nor journal has 3 messages of slot 1/);
  expect(titles[2]).toMatch(/^warn: The disk of n2 may have messages of slot 1 that are not stored/);
  expect(titles[3]).toMatch(/^warn: n2 has said nothing since/);
  expect(titles[4]).toBe("warn: n3 is drained, and not there");
  expect(titles.length).toBe(5);
  expect(isCluster(told)).toBe(true);
  expect(isCluster({ nodes: told.nodes.slice(0, 1), drained: [], slots: [slot], missing: [] })).toBe(false);
});
