/** The store as it is before a migration, beside it, and room for what a migration writes. */
import { rename, stat, statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { codedError, unwrap } from '../../base/result.ts';
import { HEAD_KEY, IDENTITY_KEY, LAYOUT_KEY, SAFETY_KEY } from '../../ledger/layout.ts';
import { equalBytes } from '../../base/bytes.ts';
import { readLayout, type LayoutStep } from '../../ledger/layout-history.ts';
import type { LevelStore } from '../../store/level-store.ts';
import { bytesToCopy, cloneStore, removeClone, verifyClone } from '../clone-store.ts';
import { synced } from '../synced.ts';
import { throughClone, unfinishedBackup } from '../open-store.ts';

export interface Backup {
  readonly directory: string;
  /** Of which so many take room of their own; the rest is the same on the disk as in the store. */
  readonly bytes: number;
  readonly copiedBytes: number;
}

/** What must be left on the disk when all is done: the node goes on writing. */
export const RESERVE_BYTES = 64 * 1024 * 1024;

/** LevelDB writes a batch to its log and then to a table, and tables are merged. */
const WRITTEN_TIMES = 3;

/** Values that tell one state of a node from another. */
const TELLING = [LAYOUT_KEY, IDENTITY_KEY, HEAD_KEY, SAFETY_KEY];

export type FreeBytes = (directory: string) => Promise<number>;

export async function freeBytesOf(directory: string): Promise<number> {
  const { bavail, bsize } = await statfs(directory);
  return bavail * bsize;
}

/** @throws CodedError `migration-no-space` */
export async function checkRoom(directory: string, bytes: number, freeBytes: FreeBytes): Promise<void> {
  const needed = bytes + RESERVE_BYTES;
  const free = await freeBytes(directory);
  if (free >= needed) return;
  throw codedError('migration-no-space', 'there is not enough room on the disk for this migration', { needed, free });
}

/** Room for a step that writes at most so much. */
export function roomFor(bytes: number): number {
  return WRITTEN_TIMES * bytes;
}

/**
 * A clone under a name of its own, which it gets only when it was held against the store.
 *
 * @param directory of a store that nobody has open
 * @throws CodedError `migration-no-space`, `backup-failed`
 */
export async function backUpStore(
  directory: string,
  layout: number,
  freeBytes: FreeBytes,
  known: readonly LayoutStep[],
): Promise<Backup> {
  await checkRoom(directory, await bytesToCopy(directory, true), freeBytes);
  const name = await freeName(`${directory}.layout-${layout}`);
  const part = unfinishedBackup(name);
  // The second is of a program that ended in the middle, and gave it no number of its own.
  for (const left of [part, `${name}.part`]) await removeClone(left);
  const { copiedBytes, linkedBytes } = await cloneStore(directory, part);
  await verifyClone(directory, part);
  await throughClone(part, (store) => {
    if (unwrap(readLayout(store, known))?.version === layout) return;
    throw codedError('backup-failed', 'the backup does not open as what it was made of: it was not taken for one');
  });
  await rename(part, name);
  // Before the store is changed, its backup has the name that it is looked for under, whatever the power does.
  await synced(dirname(name));
  return { directory: name, bytes: copiedBytes + linkedBytes, copiedBytes };
}

/**
 * Nobody wrote to the store between the backup and now.
 *
 * @throws CodedError `backup-failed`
 */
export async function checkSame(store: LevelStore, backup: Backup): Promise<void> {
  const isSame = await throughClone(backup.directory, (copy) =>
    TELLING.every((key) => equalBytes(copy.get(key) ?? new Uint8Array(0), store.get(key) ?? new Uint8Array(0))),
  );
  if (isSame) return;
  throw codedError('backup-failed', 'another program changed the directory while it was backed up: try again', {
    directory: backup.directory,
  });
}

async function freeName(first: string): Promise<string> {
  for (let number = 1; ; number++) {
    const name = number === 1 ? first : `${first}-${number}`;
    const isTaken = await stat(name).then(
      () => true,
      () => false,
    );
    if (!isTaken) return name;
  }
}
