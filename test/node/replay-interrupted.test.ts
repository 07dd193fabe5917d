/** A replay whose process is killed with -9, again and again, at every stage of its work. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, test } from 'vitest';
import { committedBlockOps } from '../../src/ledger/block-log.ts';
import { ledgerDirectory } from '../../src/node/open-ledger.ts';
import { LevelStore } from '../../src/store/level-store.ts';
import { eventually } from '../eventually.ts';
import { ledgerIn } from './ledger-directory.ts';
import { replayOf } from './replaying.ts';

const BLOCKS = 10;
const EVENTS_PER_BLOCK = 600;
const DEADLINE_MS = 90_000;
const PROCESS = join(import.meta.dirname, 'replay-process.ts');

/** Of three batches and more. */
async function longLedger() {
  const made = await ledgerIn();
  const { chain, config } = made;
  const store = await LevelStore.open(ledgerDirectory(config.dataDirectory));
  for (let block = 0; block < BLOCKS; block++) {
    const nodes = Array.from({ length: EVENTS_PER_BLOCK }, (_, i) => 10 + block * EVENTS_PER_BLOCK + i);
    const { changes, sealed } = chain.commit(nodes.map((node) => chain.join(node)));
    await store.batch(committedBlockOps(sealed, changes), { sync: false });
  }
  await store.close();
  return made;
}

test(
  'a replay that is killed goes on behind the last batch that it told of, and ends as one that was not',
  async () => {
    const { chain, config, directory } = await longLedger();
    // Killed once its place is there, and then behind each of its first batches.
    expect(await killed(directory, { onPlace: true })).toEqual([]);
    const first = await killed(directory, { behindBatch: 1 });
    expect(first).toHaveLength(1);
    const second = await killed(directory, { behindBatch: 1 });
    expect(second[0]).toBeGreaterThan(first[0] as number);
    const notes: string[] = [];
    const report = await replayOf(config, { verifySeals: false, onNote: (note) => notes.push(note) });
    expect(report.resumedAt).toBeGreaterThanOrEqual(second[0] as number);
    expect(report.resumedAt).toBeLessThan(report.height);
    expect(notes[0]).toMatch(/^goes on at height \d+/);
    expect(report).toMatchObject({
      height: 3 + BLOCKS,
      events: 3 + BLOCKS * EVENTS_PER_BLOCK,
      stateRoot: chain.machine.head.stateRoot,
      compared: { state: { equal: true } },
    });
    expect(report.eventsOfThisRun).toBeLessThan(report.events);
  },
  DEADLINE_MS,
);

/** @returns heights that the process told of before it was killed */
async function killed(
  directory: string,
  when: { readonly onPlace?: true; readonly behindBatch?: number },
): Promise<readonly number[]> {
  const child = spawn(process.execPath, [PROCESS, 'config.json'], {
    cwd: directory,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = once(child, 'exit');
  const heights: number[] = [];
  if (when.onPlace) {
    const description = join(directory, 'data', 'replay', 'replay.json');
    await eventually('the place of the replay is there', () =>
      access(description).then(
        () => true,
        () => undefined,
      ),
    );
    child.kill('SIGKILL');
  } else {
    for await (const line of createInterface({ input: child.stdout })) {
      heights.push(Number(line));
      if (heights.length === when.behindBatch) child.kill('SIGKILL');
    }
  }
  expect((await ended)[1]).toBe('SIGKILL');
  return heights.slice(0, when.behindBatch ?? 0);
}
