/**
 * A validator whose projections are of an older program makes them again while it votes, is killed on the way again and
 * again, and meanwhile answers every read that it is there for. In the end its rows are those of the others, which grew.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { toHex } from '../../src/base/bytes.ts';
import type { RebuildStatus } from '../../src/node/projections/live-rebuild.ts';
import { ledgerDirectory } from '../../src/node/open-ledger.ts';
import { CATALOG } from '../../src/projections/catalog.ts';
import { pointerOps, readPointer, Rows } from '../../src/projections/rows.ts';
import { LevelStore } from '../../src/store/level-store.ts';
import { TestNetwork } from '../e2e/harness.ts';
import { Load } from '../e2e/load.ts';
import { eventually } from '../eventually.ts';
import { more } from './verdict.ts';

const NODES = 16;
const EVENTS = 1_000;
const KILLS = 4;
const VICTIM = 'validator-1';
const LOOK_AGAIN_MS = 5;

test(
  'projections of an older program are rebuilt beside a voting node that is killed on the way, without one failed read',
  { timeout: 6 * 60_000 },
  async () => {
    const network = await TestNetwork.start({ observers: 0 });
    const validators = network.names();
    const load = new Load(network, NODES);
    await more(load, EVENTS, 120_000);
    await network.stop(VICTIM);
    await makeOlder(network.node(VICTIM).dataDirectory);
    await network.startNodes([VICTIM]);
    const reads = new HistoryReads(
      network,
      load.authors.map(({ key }) => key.peerId),
    );
    const stoodAt: number[] = [];
    for (let kill = 0; kill < KILLS; kill++) {
      const seen = await progressed(network, stoodAt.at(-1) ?? -1);
      if (seen === null) break;
      stoodAt.push(seen.height);
      await network.kill(VICTIM);
      await network.startNodes([VICTIM]);
    }
    expect(stoodAt.length).toBeGreaterThan(0);
    await eventually(
      'every projection is rebuilt',
      async () => {
        const { projections, rebuild } = await network.status(VICTIM);
        return (rebuild === null && projections.every(({ state }) => state === 'following')) || undefined;
      },
      120_000,
    );
    await more(load, 20);
    await load.finish();
    await reads.finish();
    expect(reads.answered).toBeGreaterThan(0);
    expect(reads.failures).toEqual([]);
    expect(network.log(VICTIM)).toContain('"isResumed":true');
    await network.level(validators, load.highestAcknowledged());
    await eventually('the rows are at the head', async () => {
      const statuses = await Promise.all([VICTIM, 'validator-2'].map((name) => network.status(name)));
      return (
        statuses.every(({ height, projections }) => projections.every((each) => each.height === height)) || undefined
      );
    });
    await network.stop(...validators);
    const rebuilt = await rowsIn(network.node(VICTIM).dataDirectory);
    expect(rebuilt).toEqual(await rowsIn(network.node('validator-2').dataDirectory));
    console.log(`killed at heights ${stoodAt.join(', ')}; ${reads.answered} reads`);
  },
);

/** The rows stay, under a version that this program has left behind. */
async function makeOlder(dataDirectory: string): Promise<void> {
  const store = await LevelStore.open(ledgerDirectory(dataDirectory));
  const older = CATALOG.flatMap(({ name }) =>
    pointerOps(name, { version: 0, generation: readPointer(store, name)?.generation ?? 0 }),
  );
  await store.batch(older, { sync: true });
  await store.close();
}

/** @returns null when it has ended */
function progressed(network: TestNetwork, beyond: number): Promise<RebuildStatus | null> {
  return eventually(`the rebuild comes beyond height ${beyond}`, async () => {
    for (let look = 0; look < 10; look++) {
      const { projections, rebuild } = await network.status(VICTIM);
      if (rebuild !== null && rebuild.height > beyond) return rebuild;
      if (rebuild === null && projections.every(({ state }) => state === 'following')) return null;
      await delay(LOOK_AGAIN_MS);
    }
    return undefined;
  });
}

/** Asks for histories all the time; that the node is not there is no failed read. */
class HistoryReads {
  readonly failures: unknown[] = [];
  answered = 0;
  readonly #reading: Promise<void>;
  #isDone = false;

  constructor(network: TestNetwork, peerIds: readonly string[]) {
    this.#reading = this.#read(network, peerIds);
  }

  async finish(): Promise<void> {
    this.#isDone = true;
    await this.#reading;
  }

  async #read(network: TestNetwork, peerIds: readonly string[]): Promise<void> {
    for (let turn = 0; !this.#isDone; turn++) {
      const peerId = peerIds[turn % peerIds.length] as string;
      try {
        const { entries } = await network.process(VICTIM).control.history({ peerId, limit: 5, before: null });
        if (entries.length === 0) this.failures.push(`no history of ${peerId}`);
        this.answered++;
      } catch (error) {
        const { code } = error as { code?: string };
        if (code !== 'node-not-running' && code !== 'ECONNRESET') this.failures.push(error);
      }
      await delay(LOOK_AGAIN_MS);
    }
  }
}

async function rowsIn(dataDirectory: string): Promise<readonly string[]> {
  const store = await LevelStore.open(ledgerDirectory(dataDirectory));
  const all: string[] = [];
  for (const { name } of CATALOG) {
    const { generation } = readPointer(store, name) ?? { generation: 0 };
    for await (const [key, value] of new Rows(store, name, generation).entries({})) {
      all.push(`${name} ${toHex(key)} ${toHex(value)}`);
    }
  }
  await store.close();
  return all;
}
