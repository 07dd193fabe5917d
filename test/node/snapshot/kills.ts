/** Processes that work on snapshots and are killed with -9, and what must hold of their directory after it. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import { openLedger } from '../../../src/node/open-ledger.ts';
import { listSnapshots } from '../../../src/node/snapshot/list-snapshots.ts';
import { openSnapshot, verifyChunks } from '../../../src/node/snapshot/open-snapshot.ts';
import { SnapshotFolder } from '../../../src/node/snapshot/snapshot-folder.ts';
import { snapshotInFolder } from '../../../src/node/snapshot/snapshot-source.ts';
import type { TestLedger } from './ledger.ts';

const DIE_AT = new URL('./die-at.ts', import.meta.url).href;
export const SNAPSHOT_PROCESS = fileURLToPath(new URL('./snapshot-process.ts', import.meta.url));
export const LAUNCHER = fileURLToPath(new URL('../../../bin/hotledger.js', import.meta.url));

export interface Death {
  readonly thread: 'main' | 'worker';
  /** Before its so manieth step on the files below `within`, from 1. */
  readonly step: number;
  /** Part of a path. */
  readonly within: string;
}

/**
 * @param argv a program and what it is told
 * @returns whether it died on the way; else it came to its end
 */
export async function diesAt(death: Death, directory: string, argv: readonly string[]): Promise<boolean> {
  const child = spawn(process.execPath, ['--import', DIE_AT, ...argv], {
    cwd: directory,
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, DIE_AT: `${death.thread}:${death.step}`, DIE_WITHIN: death.within },
  });
  let told = '';
  child.stderr.on('data', (text: Buffer) => (told += String(text)));
  const [code, signal] = (await once(child, 'close')) as [number | null, string | null];
  if (signal === 'SIGKILL') return true;
  expect([code, signal, told], `${argv.join(' ')} ends in order or is killed`).toEqual([0, null, expect.anything()]);
  return false;
}

/** Every snapshot that is listed holds, before and after a node clears away what a crash left. @returns their heights */
export async function listedAndVerified({ chain, config }: Pick<TestLedger, 'chain' | 'config'>): Promise<number[]> {
  const folder = SnapshotFolder.of(config.dataDirectory);
  const heights: number[] = [];
  for (const listed of await listSnapshots(folder)) {
    expect(listed.kind).toBe('snapshot');
    const snapshot = await openSnapshot(await snapshotInFolder(folder, listed.height), chain.genesis);
    await verifyChunks(snapshot, 1, () => undefined);
    heights.push(listed.height);
  }
  await folder.tidy();
  const left = await readdir(folder.directory).catch((): string[] => []);
  expect(left.toSorted()).toEqual(heights.map(String).toSorted());
  return heights;
}

/** The directory opens at its head, and its log reaches back to its newest snapshot at least. @returns its floor */
export async function opensAtHead(ledger: Pick<TestLedger, 'chain' | 'config'>, newest: number): Promise<number> {
  const opened = await openLedger(ledger.config.dataDirectory, ledger.chain.genesis, null);
  try {
    const floor = opened.log.floor();
    expect(opened.log.head().blockId).toBe(ledger.chain.head.id);
    expect(opened.machine.head.stateRoot).toBe(ledger.chain.machine.head.stateRoot);
    expect(floor === 0 || floor <= newest, `the log begins at ${floor}, the newest snapshot is of ${newest}`).toBe(
      true,
    );
    for (let height = floor; height <= opened.log.head().height; height++) {
      expect(opened.log.sealedBytesAt(height), `block ${height}`).toBeDefined();
    }
    return floor;
  } finally {
    await opened.store.close();
  }
}
