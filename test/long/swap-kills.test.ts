/** `replay --swap` whose process is killed with -9 before each of its batches: what serves is the old rows or the new ones, whole. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { toHex, utf8 } from '../../src/base/bytes.ts';
import { committedBlockOps } from '../../src/ledger/block-log.ts';
import { projectionKey, rangeOf } from '../../src/ledger/layout.ts';
import { ledgerDirectory } from '../../src/node/open-ledger.ts';
import { LevelStore } from '../../src/store/level-store.ts';
import { temporaryDirectory } from '../node/directory.ts';
import { ledgerIn, project } from '../node/ledger-directory.ts';
import { replayOf } from '../node/replaying.ts';
import { entriesOf } from '../store/contract.ts';

/** Rows of several batches. */
const NODES = 700;
const DEADLINE_MS = 300_000;
const PROCESS = join(import.meta.dirname, 'swap-process.ts');
const ROWS = rangeOf(projectionKey(utf8(':node-data')));

test(
  'rows that are swapped by a process that is killed are the old ones or the new ones',
  { timeout: DEADLINE_MS },
  async () => {
    const { config, directory } = await damagedLedger();
    const outcomes: string[] = [];
    for (let batch = 1; ; batch++) {
      const copy = await temporaryDirectory();
      await cp(directory, copy, { recursive: true });
      const isKilled = await swap(copy, batch);
      const dataDirectory = join(copy, 'data');
      const { compared } = await replayOf({ ...config, dataDirectory }, { verifySeals: false });
      expect(compared?.state.equal).toBe(true);
      const different = compared?.projections.filter(({ outcome }) => outcome !== 'equal') ?? [];
      for (const one of different) {
        // Not one that lacks rows, or has some of both.
        expect(one).toMatchObject({
          name: 'node-data',
          outcome: 'different',
          firstDifference: { kept: { hex: toHex(utf8('changed')) } },
        });
      }
      outcomes.push(different.length === 0 ? 'new' : 'old');
      // The next one ends it, whatever was left.
      expect(await swap(copy, Infinity)).toBe(false);
      const after = await replayOf({ ...config, dataDirectory }, { verifySeals: false });
      expect(after.compared?.projections.every(({ outcome }) => outcome === 'equal')).toBe(true);
      if (!isKilled) break;
    }
    expect(new Set(outcomes)).toEqual(new Set(['old', 'new']));
    // Once they are the new ones, they stay so.
    expect(outcomes.lastIndexOf('old')).toBeLessThan(outcomes.indexOf('new'));
    expect(outcomes.length).toBeGreaterThan(5);
  },
);

/** Of which one row that is served is not what the log gives. */
async function damagedLedger() {
  const made = await ledgerIn();
  const { chain, config } = made;
  const store = await LevelStore.open(ledgerDirectory(config.dataDirectory));
  const { changes, sealed } = chain.commit(Array.from({ length: NODES }, (_, node) => chain.join(10 + node)));
  await store.batch(committedBlockOps(sealed, changes), { sync: false });
  await project(store, chain.chainId);
  const [key] = (await entriesOf(store, ROWS)).at(-1) as readonly [Uint8Array, Uint8Array];
  await store.batch([{ kind: 'put', key, value: utf8('changed') }], { sync: true });
  await store.close();
  return made;
}

/** @returns whether it was killed before it came to its end */
async function swap(directory: string, lastBatch: number): Promise<boolean> {
  const child = spawn(process.execPath, [PROCESS, 'config.json', String(lastBatch)], {
    cwd: directory,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const [code, signal] = (await once(child, 'exit')) as [number | null, string | null];
  expect([code, signal]).toEqual(signal === null ? [0, null] : [null, 'SIGKILL']);
  return signal !== null;
}
