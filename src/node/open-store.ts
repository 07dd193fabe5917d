/**
 * Opening the store of a data directory, and only one that this program may change. To open a LevelDB is to write to it,
 * so a directory of another layout is looked at through a clone that is thrown away, and is left byte for byte as it was.
 * That costs a moment, so beside the store stands a note of the layout that was found in it; it says which directory it is
 * of, and whoever migrates the directory takes it away first. The note saves work and is never believed: the store itself
 * is asked again once it is open.
 */
import { readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { CodedError, unwrap } from '../base/result.ts';
import { judgeLayout, LAYOUT_STEPS, readLayout, type LayoutState, type LayoutStep } from '../ledger/layout-history.ts';
import { LAYOUT_VERSION } from '../ledger/layout.ts';
import { LevelStore, type LevelStoreOptions } from '../store/level-store.ts';
import { cloneStore, removeClone } from './clone-store.ts';

let looks = 0;

/** @param dataDirectory the store lies in `ledger` below it */
export function ledgerDirectory(dataDirectory: string): string {
  return join(dataDirectory, 'ledger');
}

/** @throws CodedError those of `LevelStore.open` and of `judgeLayout`: nothing was changed then */
export async function openStore(dataDirectory: string, options: LevelStoreOptions): Promise<LevelStore> {
  const directory = ledgerDirectory(dataDirectory);
  const isNoted = (await readFile(noteOf(dataDirectory), 'utf8').catch(() => '')) === (await noteFor(directory));
  const layout = isNoted ? null : await tryLook(directory);
  if (layout !== null) unwrap(judgeLayout(layout));
  const store = await LevelStore.open(directory, options);
  if (layout !== null) await note(dataDirectory);
  return store;
}

/**
 * The layout of a store that may be of any, or in use by another process.
 *
 * @returns null where there is no ledger in it
 * @throws CodedError those of `LevelStore.open` and of `cloneStore`, `store-corrupt`
 */
export async function lookAtLayout(
  directory: string,
  known: readonly LayoutStep[] = LAYOUT_STEPS,
): Promise<LayoutState | null> {
  await removeForgottenClones(directory);
  return throughClone(directory, (store) => unwrap(readLayout(store, known)));
}

/** Whatever is done to the store that `use` is given, is done to a clone. */
export async function throughClone<T>(
  directory: string,
  use: (store: LevelStore, clone: string) => T | Promise<T>,
): Promise<T> {
  const clone = `${directory}.look-${process.pid}-${++looks}`;
  try {
    await cloneStore(directory, clone);
    const store = await LevelStore.open(clone);
    try {
      return await use(store, clone);
    } finally {
      await store.close();
    }
  } finally {
    await removeClone(clone);
  }
}

/** From now on the layout is looked for in the store itself. */
export async function forgetNote(dataDirectory: string): Promise<void> {
  await rm(noteOf(dataDirectory), { force: true });
}

/** What cannot be looked at, because it is not there, damaged or in use, is for the store itself to refuse. */
async function tryLook(directory: string): Promise<LayoutState | null> {
  try {
    return await lookAtLayout(directory);
  } catch (error) {
    if (error instanceof CodedError || isOfFiles(error)) return null;
    throw error;
  }
}

function isOfFiles(error: unknown): boolean {
  return typeof (error as NodeJS.ErrnoException | null)?.code === 'string';
}

/** Where a backup is made, before it has its name. */
export function unfinishedBackup(backup: string): string {
  return `${backup}.part-${process.pid}`;
}

/** Of processes that ended before they could: clones of the store and of its backups, and backups that were not finished. */
async function removeForgottenClones(directory: string): Promise<void> {
  const beside = dirname(directory);
  // A backup without the number of its process is of a program that gave them none: whoever backs up next takes it away.
  const of = new RegExp(
    String.raw`^${basename(directory)}(?:\.layout-[\d-]+)?(?:\.part(?:-(\d+))?)?(?:\.look-(\d+)-\d+)?$`,
  );
  for (const name of await readdir(beside).catch(() => [])) {
    const [, backingUp, looking] = of.exec(name) ?? [];
    const pid = looking ?? backingUp;
    if (pid !== undefined && !isAlive(Number(pid))) await removeClone(join(beside, name));
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}

function noteOf(dataDirectory: string): string {
  return join(dataDirectory, 'layout');
}

/** A directory that was put in this one's place has another number. */
async function noteFor(directory: string): Promise<string | null> {
  const found = await stat(directory).catch(() => null);
  return found === null ? null : `layout ${LAYOUT_VERSION} of directory ${found.dev}:${found.ino}\n`;
}

async function note(dataDirectory: string): Promise<void> {
  const text = await noteFor(ledgerDirectory(dataDirectory));
  if (text === null) return;
  try {
    await writeFile(`${noteOf(dataDirectory)}.part`, text);
    await rename(`${noteOf(dataDirectory)}.part`, noteOf(dataDirectory));
  } catch (error) {
    // On a full disk the next start looks again.
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
  }
}
