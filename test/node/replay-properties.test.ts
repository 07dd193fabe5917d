/** Whatever happened in a ledger, wherever its replay is cut off, and wherever its log begins: it is the same ledger again. */
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { toHex } from '../../src/base/bytes.ts';
import { BlockLog, committedBlockOps } from '../../src/ledger/block-log.ts';
import { encodeSealedBlock } from '../../src/ledger/block.ts';
import { formatGenesis } from '../../src/ledger/genesis.ts';
import { STATE_RANGE } from '../../src/ledger/layout.ts';
import { ledgerDirectory } from '../../src/node/open-ledger.ts';
import { replayLedger, type LedgerReplayReport } from '../../src/node/replay.ts';
import { openSource } from '../../src/node/replay/open-source.ts';
import type { LedgerSource } from '../../src/node/replay/source.ts';
import { FULL_SPEED } from '../../src/node/snapshot/pace.ts';
import { SnapshotFolder } from '../../src/node/snapshot/snapshot-folder.ts';
import { writeSnapshot } from '../../src/node/snapshot/snapshot-writer.ts';
import { CATALOG } from '../../src/projections/catalog.ts';
import { Projector } from '../../src/projections/projector.ts';
import { readPointer, Rows } from '../../src/projections/rows.ts';
import { LevelStore } from '../../src/store/level-store.ts';
import type { Store } from '../../src/store/store.ts';
import { randomBlocks, RandomChain, type RandomBlock } from '../ledger/random-chain.ts';
import { entriesOf } from '../store/contract.ts';
import { temporaryDirectory } from './directory.ts';
import { dropBlocks } from './pruned-ledger.ts';

const RUNS = process.env['LONG'] === '1' ? 60 : 6;
const NAMES = CATALOG.map(({ name }) => name);
/** Rows of these follow from the state alone. */
const OF_STATE = CATALOG.filter(({ isOfStateAlone }) => isOfStateAlone === true).map(({ name }) => name);

interface Case {
  readonly blocks: readonly RandomBlock[];
  /** Heights, by the head: where a replay ends and another goes on, and where one is cut off in the middle of its work. */
  readonly stops: readonly { readonly at: number; readonly isCutOff: boolean }[];
  readonly snapshotAt: number;
  readonly keepBlocks: number;
  readonly eventsPerBatch: number;
}

/** Of a whole. */
const share = fc.double({ min: 0, max: 1, noNaN: true });

const cases = randomBlocks(4, 18).chain((blocks) =>
  fc.record<Case>({
    blocks: fc.constant(blocks),
    stops: fc
      .array(fc.record({ at: share, isCutOff: fc.boolean() }), { maxLength: 3 })
      .map((stops) =>
        stops.map((stop) => ({ ...stop, at: Math.floor(stop.at * blocks.length) })).sort((a, b) => a.at - b.at),
      ),
    snapshotAt: fc.integer({ min: 1, max: blocks.length }),
    keepBlocks: fc.integer({ min: 1, max: blocks.length }),
    eventsPerBatch: fc.integer({ min: 1, max: 12 }),
  }),
);

test('a replay gives state and projections byte for byte, cut off anywhere, from the genesis and from a snapshot', async () => {
  await fc.assert(
    fc.asyncProperty(cases, async (chosen) => {
      const directory = await temporaryDirectory();
      const ledger = await writeLedger(directory, chosen);
      const whole = await replayed(ledger, chosen, 'whole');
      expect(whole).toMatchObject({ from: { kind: 'genesis' }, height: chosen.blocks.length });
      expect(outcomesOf(whole)).toEqual(Object.fromEntries(NAMES.map((name) => [name, 'equal'])));
      await expectSame(ledger.dataDirectory, join(directory, 'whole'), NAMES);
      await dropBlocks(
        { chain: ledger.chain, config: { dataDirectory: ledger.dataDirectory } as never },
        chosen.keepBlocks,
      );
      const behind = await replayed(ledger, chosen, 'behind');
      expect(behind.from).toEqual({ kind: 'snapshot', height: chosen.snapshotAt });
      expect(outcomesOf(behind)).toMatchObject(Object.fromEntries(OF_STATE.map((name) => [name, 'equal'])));
      await expectSame(ledger.dataDirectory, join(directory, 'behind'), OF_STATE);
      await rm(directory, { recursive: true });
    }),
    { numRuns: RUNS },
  );
});

type Written = Awaited<ReturnType<typeof writeLedger>>;

/** As a node writes it, with a snapshot on the way. */
async function writeLedger(directory: string, { blocks, snapshotAt }: Case) {
  const random = new RandomChain();
  const { chain } = random;
  const dataDirectory = join(directory, 'data');
  await writeFile(join(directory, 'genesis.json'), formatGenesis(chain.genesis));
  const store = await LevelStore.open(ledgerDirectory(dataDirectory), { create: true });
  const log = await BlockLog.create(store, { chainId: chain.chainId, validatorKey: null }, chain.state);
  const projector = await Projector.open({ store, log, projections: CATALOG, onStopped: () => undefined });
  const folder = SnapshotFolder.of(dataDirectory);
  for (const block of blocks) {
    const { changes, sealed } = random.commit(block);
    const { events, header } = sealed.block;
    await store.batch(committedBlockOps(sealed, changes), { sync: false });
    projector.offer([{ header, events, changes }]);
    if (header.height !== snapshotAt) continue;
    await writeSnapshot({
      chainId: chain.chainId,
      view: store,
      sealed: encodeSealedBlock(sealed),
      directory: await folder.begin(snapshotAt),
      before: new Map(),
      onProgress: () => undefined,
      checkStopped: () => undefined,
      pace: FULL_SPEED,
    });
    await folder.finish(snapshotAt);
  }
  await projector.caughtUp();
  await projector.close();
  await store.close();
  return { chain, dataDirectory, directory };
}

class CutOff extends Error {}

/** To each of the stops and then to the end, in one place. */
async function replayed(
  { chain, dataDirectory, directory }: Written,
  { eventsPerBatch, stops }: Case,
  place: string,
): Promise<LedgerReplayReport> {
  const run = async (to: number | null, cutOffAt: number | null): Promise<LedgerReplayReport> => {
    const source = await openSource(dataDirectory);
    try {
      return await replayLedger({
        source: cutOffAt === null ? source : cutOff(source, cutOffAt),
        genesis: chain.genesis,
        dataDirectory,
        into: join(directory, place),
        to,
        verifySignatures: false,
        verifySeals: true,
        threads: 1,
        projections: CATALOG,
        compare: to === null,
        swap: false,
        olderRows: 'keep',
        eventsPerBatch,
        onProgress: () => undefined,
        onNote: () => undefined,
      });
    } finally {
      await source.close();
    }
  };
  for (const { at, isCutOff } of stops) {
    await run(isCutOff ? null : at, isCutOff ? at : null).catch((error: unknown) => {
      // Below the snapshot that it begins with there is nothing to replay.
      if (!(error instanceof CutOff) && (error as { code?: unknown }).code !== 'replay-height-unknown') throw error;
    });
  }
  return run(null, null);
}

/** Its blocks end behind this height, as those of a process that is killed. */
function cutOff(source: LedgerSource, height: number): LedgerSource {
  return {
    ...source,
    async *blocks(from, to) {
      // One block alone is looked at, before the replay itself begins.
      yield* source.blocks(from, from === to ? to : Math.min(to, height));
      if (from < to && to > height) throw new CutOff();
    },
  };
}

function outcomesOf({ compared }: LedgerReplayReport): Readonly<Record<string, string>> {
  expect(compared?.state).toMatchObject({ equal: true });
  return Object.fromEntries(compared?.projections.map(({ name, outcome }) => [name, outcome]) ?? []);
}

/** By reading both stores once more, without what the replay compares with. */
async function expectSame(dataDirectory: string, place: string, names: readonly string[]): Promise<void> {
  const kept = await LevelStore.open(ledgerDirectory(dataDirectory));
  const rebuilt = await LevelStore.open(join(place, 'rebuilt'));
  try {
    expect(await textOf(entriesOf(rebuilt, STATE_RANGE))).toEqual(await textOf(entriesOf(kept, STATE_RANGE)));
    for (const name of names) expect(await rowsOf(rebuilt, name)).toEqual(await rowsOf(kept, name));
  } finally {
    await kept.close();
    await rebuilt.close();
  }
}

function rowsOf(store: Store, name: string): Promise<readonly string[]> {
  const rows = new Rows(store, name, readPointer(store, name)?.generation ?? 0);
  return textOf(entriesOf(rows, {}));
}

async function textOf(entries: Promise<Iterable<readonly [Uint8Array, Uint8Array]>>): Promise<readonly string[]> {
  return Array.from(await entries, ([key, value]) => `${toHex(key)}=${toHex(value)}`);
}
