import { describe, expect, test } from 'vitest';
import { DEFAULT_MIX, parseMix, type Mix } from '../../../src/cli/devnet/mix.ts';
import { Population, type SimulatedEvent } from '../../../src/cli/devnet/population.ts';

const RELAY = '12D3KooWRgM45AGb4oFi8xiCM1xKEi1V7dyEwNes4yd8oRBe4h8L';
const HOUR_MS = 3_600_000;

function population(
  overrides: { nodes?: number; seed?: number; mix?: Partial<Mix>; speed?: number; window?: number } = {},
) {
  return new Population({
    nodes: overrides.nodes ?? 40,
    seed: overrides.seed ?? 1,
    mix: { ...DEFAULT_MIX, ...overrides.mix },
    speed: overrides.speed ?? 1,
    livenessWindowSeconds: overrides.window ?? 3600,
    relayPeerId: RELAY,
    nowMs: 0,
  });
}

/** Lets every event be acknowledged at once. */
function live(people: Population, untilMs: number): (SimulatedEvent & { atMs: number })[] {
  const lived: (SimulatedEvent & { atMs: number })[] = [];
  for (let nowMs = 0; nowMs <= untilMs; nowMs = Math.max(nowMs + 1, people.wakeAtMs())) {
    for (const event of people.due(nowMs)) {
      lived.push({ ...event, atMs: nowMs });
      people.settled(event.node, nowMs);
    }
  }
  return lived;
}

describe('a population', () => {
  test('lives the same life from the same seed, and another from another', () => {
    const life = live(population(), 6 * HOUR_MS);
    expect(live(population(), 6 * HOUR_MS)).toEqual(life);
    expect(live(population({ seed: 2 }), 6 * HOUR_MS)).not.toEqual(life);
  });

  test('joins within a minute, like a network that comes back', () => {
    const people = population();
    const joins = live(people, 60_000).filter(({ body }) => body.type === 'joined');
    expect(new Set(joins.map(({ node }) => node)).size).toBe(40);
  });

  test('each node joins first, and after a leave the next is a join', () => {
    const last = new Map<number, string>();
    for (const { node, body } of live(population({ mix: { flapping: 0.5 } }), 24 * HOUR_MS)) {
      const before = last.get(node);
      if (before === undefined || before === 'left') expect(body.type).toBe('joined');
      else expect(body.type).not.toBe('joined');
      last.set(node, body.type);
    }
  });

  test('no heartbeat comes sooner than a third of the window after the last event of its node', () => {
    const last = new Map<number, number>();
    let heartbeats = 0;
    for (const { node, body, atMs } of live(population({ speed: 120, window: 30 }), HOUR_MS / 6)) {
      if (body.type === 'heartbeat') {
        heartbeats++;
        expect(atMs - (last.get(node) ?? -Infinity)).toBeGreaterThan(10_000);
      }
      last.set(node, atMs);
    }
    expect(heartbeats).toBeGreaterThan(500);
  });

  test('does everything that nodes do within two days', () => {
    const types = new Map<string, number>();
    for (const { body } of live(population({ speed: 4 }), 12 * HOUR_MS)) {
      types.set(body.type, (types.get(body.type) ?? 0) + 1);
    }
    expect([...types.keys()].sort()).toEqual([
      'addressesChanged',
      'capabilitiesDeclared',
      'heartbeat',
      'joined',
      'left',
      ...(types.has('versionChanged') ? ['versionChanged'] : []),
    ]);
    expect(types.get('addressesChanged')).toBeGreaterThan(20);
  });

  test('four of five nodes upgrade within two hours of a release', () => {
    const steady = population({ nodes: 50, mix: { flapping: 0, versionBehind: 0 } });
    const life = live(steady, 10 * 24 * HOUR_MS);
    const upgrades = life.filter(({ body }) => body.type === 'versionChanged').map(({ atMs }) => atMs);
    const first = upgrades[0] ?? 0;
    const soon = upgrades.filter((atMs) => atMs - first <= 2 * HOUR_MS);
    expect(soon.length).toBeGreaterThan(25);
  });

  test('a node with an event in flight waits until it is settled', () => {
    const people = population({ nodes: 1 });
    const [joined] = people.due(60_000);
    expect(joined?.body.type).toBe('joined');
    expect(people.due(100 * HOUR_MS)).toEqual([]);
    people.settled(0, 60_000);
    expect(people.due(100 * HOUR_MS)).toHaveLength(1);
  });

  test('goes on from what the ledger holds', () => {
    const people = population({ nodes: 2, window: 30 });
    people.resume(0, { joined: true, version: 'v0.9.0' });
    people.resume(1, { joined: false, version: 'v0.8.0' });
    expect(people.joined).toBe(1);
    const life = live(people, 60_000);
    expect(life.find(({ node }) => node === 0)?.body.type).toBe('heartbeat');
    expect(life.find(({ node }) => node === 1)?.body).toMatchObject({ type: 'joined' });
  });

  test('has the shares that its mix says', () => {
    const mix = { relayOnly: 0.25, ipv6: 0.25, twitter: 1, web: 0 };
    const joins = live(population({ nodes: 400, mix }), 60_000).flatMap(({ body }) =>
      body.type === 'joined' ? [body] : [],
    );
    const share = (found: (text: string) => boolean) =>
      joins.filter(({ multiaddrs }) => multiaddrs.some(found)).length / joins.length;
    expect(share((text) => text.endsWith('/p2p-circuit'))).toBeCloseTo(0.25, 1);
    expect(share((text) => text.startsWith('/ip6/'))).toBeCloseTo(0.25, 1);
    expect(joins.every((body) => body.isTwitterScraper && !body.isWebScraper)).toBe(true);
  });
});

describe('the mix', () => {
  test('is the default with what is named put in its place', () => {
    expect(parseMix(undefined)).toEqual(DEFAULT_MIX);
    expect(parseMix('flapping=0.3, direct=1')).toEqual({ ...DEFAULT_MIX, flapping: 0.3, direct: 1 });
  });

  test.each(['flapping', 'flapping=', 'flapping=2', 'flapping=-1', 'flapping=x', 'toString=1'])(
    '%s is refused',
    (text) => {
      expect(() => parseMix(text)).toThrow(expect.objectContaining({ code: 'usage' }));
    },
  );
});
