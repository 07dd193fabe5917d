/**
 * Minutes of load: what a process keeps for each event, connection or round that it has seen would show here. The
 * measure is the memory that a process keeps at its least in each minute, as collections come and go.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { TestNetwork } from '../e2e/harness.ts';
import { Load } from '../e2e/load.ts';

const NODES = 16;
/** Caches fill and code is compiled. */
const WARM_UP_MINUTES = 2;
const MINUTES = Number(process.env['MEMORY_MINUTES'] ?? 4);
const LOOK_EVERY_MS = 2_000;
const MIB = 1 << 20;
/**
 * Between the first half of what is measured and the second. Tables of LevelDB that were read are resident too, which
 * gave 8 MiB in 50,000 events; a kilobyte that is kept for each event would give 50.
 */
const GROWTH_MAX_BYTES = 32 * MIB;

test('memory stays flat under load', { timeout: (MINUTES + 10) * 60_000 }, async () => {
  const network = await TestNetwork.start();
  const load = new Load(network, NODES);
  const leastOf: Map<string, number>[] = [];
  const startedMs = performance.now();
  for (let minute = 0; minute < MINUTES; minute++) {
    const least = new Map<string, number>();
    while (performance.now() - startedMs < (minute + 1) * 60_000) {
      await delay(LOOK_EVERY_MS);
      for (const name of network.names()) {
        const { rssBytes } = await network.status(name);
        least.set(name, Math.min(rssBytes, least.get(name) ?? Infinity));
      }
    }
    leastOf.push(least);
  }
  await load.finish();
  expect(load.refused).toEqual([]);
  const table = network.names().map((name) => ({
    name,
    mib: leastOf.map((least) => Math.round((least.get(name) ?? 0) / MIB)),
  }));
  console.log(`${load.acknowledged.length} events`, JSON.stringify(table));
  for (const name of network.names()) {
    const settled = leastOf.slice(WARM_UP_MINUTES).map((least) => least.get(name) ?? 0);
    const half = Math.floor(settled.length / 2);
    const growth = Math.min(...settled.slice(half)) - Math.min(...settled.slice(0, half));
    expect([name, growth < GROWTH_MAX_BYTES, table]).toEqual([name, true, table]);
  }
});
