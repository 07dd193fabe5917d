/**
 * A node that joins and is killed with -9 at random moments, again and again, while of those that it asks one lies, one is
 * slow, one comes and goes, one stands still, one has nothing but a snapshot that nobody has the blocks behind any more, and all
 * drop their older snapshots and blocks: it follows in the end, with the state that the others have, and it has named the
 * liar alone.
 */
import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { ZERO_HASH } from '../../src/base/hash.ts';
import { Random } from '../../src/base/random.ts';
import type { ServerStatus } from '../../src/consensus/join-contract.ts';
import { NodeProcess } from '../../src/cli/devnet/node-process.ts';
import { peerIdFromPublicKey } from '../../src/ledger/identity.ts';
import type { NodeRecord } from '../../src/ledger/record.ts';
import { SnapshotFolder } from '../../src/node/snapshot/snapshot-folder.ts';
import type { NodeStatus } from '../../src/node/status.ts';
import { TestNetwork } from '../e2e/harness.ts';
import { Load } from '../e2e/load.ts';
import { altered, knowsFirst, staleServer, strangeServer, type ChunkAnswer } from '../e2e/strange-servers.ts';
import { eventually } from '../eventually.ts';

const SEED = 20_261_127;
const JOINS = 1;
const KILLS = 12;
/** A life that does not come to its moment ends all the same. */
const LONGEST_LIFE_MS = 30_000;
/** After its moment. */
const LONGEST_REST_MS = 400;
const LOOK_AGAIN_MS = 20;
/** The stale server may send it back to a ledger that nobody has the blocks behind: then it waits a minute, and joins again. */
const LONGEST_JOIN_MS = 240_000;
/** Once it runs, it joins no more: only the last lives may come so far. */
const LIVES_THAT_RUN = 3;
const SLOW_MS = 1_500;
/** A snapshot of several chunks. */
const RECORDS = 12_000;
const SETTINGS = {
  snapshots: { everyBlocks: 60, keep: 2 },
  pruning: { policy: 'keepBlocks', keepBlocks: 20 },
} as const;

test(
  'a join that is killed with -9 among servers that lie, vanish, are slow and forget ends with the state of all',
  { timeout: 1_200_000 },
  async () => {
    const network = await TestNetwork.make({ observers: JOINS, settings: SETTINGS, records: records() });
    const validators = network.names('validator');
    await network.startNodes(validators);
    const load = new Load(network, 6);
    await eventually('there is a snapshot', () => hasSnapshot(network, 'validator-1'), 240_000);
    const stale = await staleServer(network, 'validator-1');
    await eventually('the blocks behind it are pruned', () => isPruned(network, validators, stale.height + 1), 240_000);
    const slow = await strangeServer(network, 'validator-1', slowly);
    const liar = await strangeServer(network, 'validator-1', altered);
    const random = new Random(SEED);
    for (const observer of network.names('observer')) {
      const told = new Map<string, string>();
      for (const { addressFile } of [slow, liar, stale]) await knowsFirst(network, observer, addressFile);
      for (let kill = 0; kill < KILLS; kill++) {
        const restore = await trouble(network, kill);
        const life = new NodeProcess(network.node(observer));
        await until(life, moment(random, kill >= KILLS - LIVES_THAT_RUN), told);
        await delay(random.below(LONGEST_REST_MS));
        life.kill();
        await life.ended;
        await restore();
      }
      await network.startNodes([observer]);
      await network.caughtUp(observer, LONGEST_JOIN_MS);
      const log = network.log(observer);
      expect(log).toMatch(new RegExp(`"server":"${liar.peerId}".*sent what is false: dropped`));
      expect(log.match(/sent what is false: dropped/g)?.length).toBe(
        log.match(new RegExp(`"server":"${liar.peerId}".*sent what is false`, 'g'))?.length,
      );
      expect([...told].filter(([server]) => server !== liar.peerId)).toEqual([]);
      expect(log).toContain('begins at the height of the snapshot');
    }
    await load.finish();
    await network.level(network.names(), load.highestAcknowledged());
  },
);

type Moment = (status: NodeStatus) => boolean;

/** When a life ends: before it answers, while it asks, with some chunks, while they become a ledger, or later. */
function moment(random: Random, mayRun: boolean): Moment | null {
  const chunks = 1 + random.below(3);
  switch (random.below(mayRun ? 5 : 4)) {
    case 0:
      return null;
    case 1:
      return ({ joining }) => joining !== undefined;
    case 2:
      return ({ joining }) => (joining?.chunksKept ?? 0) >= chunks;
    case 3:
      return ({ joining }) => joining?.phase === 'restoring';
    default:
      return ({ engine }) => engine !== 'joining';
  }
}

/** Waits for the moment, or until it is over; notes which servers the status says are asked no more. */
async function until(life: NodeProcess, isNow: Moment | null, told: Map<string, string>): Promise<void> {
  if (isNow === null) return;
  for (const untilMs = Date.now() + LONGEST_LIFE_MS; Date.now() < untilMs; await delay(LOOK_AGAIN_MS)) {
    const status = await life.control.status().catch(() => undefined);
    if (status === undefined) continue;
    const servers: readonly ServerStatus[] = status.joining?.servers ?? [];
    for (const { droppedBecause, server } of servers) if (droppedBecause !== null) told.set(server, droppedBecause);
    if (isNow(status) || status.engine !== 'joining') return;
  }
}

/** One validator at a time, as three are a quorum. @returns what ends it */
async function trouble(network: TestNetwork, kill: number): Promise<() => Promise<void>> {
  switch (kill % 3) {
    case 0:
      await network.kill('validator-2');
      return () => network.startNodes(['validator-2']);
    case 1:
      network.signal('validator-3', 'SIGSTOP');
      return () => Promise.resolve(network.signal('validator-3', 'SIGCONT'));
    default:
      return () => Promise.resolve();
  }
}

async function hasSnapshot(network: TestNetwork, name: string): Promise<true | undefined> {
  const heights = await SnapshotFolder.of(network.node(name).dataDirectory).heights();
  return heights.length > 0 || undefined;
}

/** Whether nobody has the block of this height. */
async function isPruned(network: TestNetwork, names: readonly string[], height: number): Promise<true | undefined> {
  const statuses = await Promise.all(names.map((name) => network.status(name)));
  return statuses.every(({ oldestBlock }) => oldestBlock > height) || undefined;
}

const slowly: ChunkAnswer = async (chunk) => {
  await delay(SLOW_MS);
  return chunk;
};

/** Of nodes that are silent for ever: they need no key. */
function records(): readonly NodeRecord[] {
  const timestamp = Math.floor(Date.now() / 1000);
  return Array.from({ length: RECORDS }, () => ({
    kind: 'record',
    peerId: peerIdFromPublicKey('ed25519', randomBytes(32)),
    origin: 'import',
    multiaddrs: ['/ip4/192.0.2.1/tcp/4001'],
    version: 'v0.5.2',
    isTwitterScraper: false,
    isDiscordScraper: false,
    isTelegramScraper: false,
    isWebScraper: true,
    isLlmServer: false,
    stake: null,
    activity: 'joined',
    firstJoined: timestamp,
    lastJoined: timestamp,
    lastLeft: 0,
    lastHeard: timestamp,
    lastUpdated: timestamp,
    closedUptimeNs: 0n,
    workerTimeoutNs: null,
    lastSeq: 0,
    lastEventId: ZERO_HASH,
  }));
}
