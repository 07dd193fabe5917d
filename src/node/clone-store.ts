/**
 * A second directory with the same store in it, without a second copy of what never changes: LevelDB writes a table once
 * and deletes it later, so tables are hard links where the file system has them; the files that it goes on writing
 * (log, manifest, CURRENT) are copied. (LevelDB, doc/impl.md.)
 *
 * Another process may have the store open. It writes every change of which tables and logs count to the end of the manifest:
 * a new file is whole before that, and a file that no longer counts is deleted after it. So what was found between a copy of
 * the manifest and a look that finds the manifest no longer than the copy, has all that the copy names. Where it has grown,
 * what is missing is taken and looked again: what was taken before is a link, so that each time takes a few milliseconds.
 */
import { createHash } from 'node:crypto';
import { constants, createReadStream } from 'node:fs';
import { copyFile, link, mkdir, readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { codedError } from '../base/result.ts';
import { synced } from './synced.ts';

export interface Cloned {
  readonly linkedBytes: number;
  readonly copiedBytes: number;
}

const TABLE = /\.(ldb|sst)$/;
/** LevelDB's lock, and what it tells people. */
const NOT_DATA = /^(LOCK|LOG|LOG\.old)$/;
const CURRENT = 'CURRENT';

export interface CloneOptions {
  /** How often what has changed is taken again. */
  readonly maxPasses?: number;
  /** Called when all is taken, before it is looked at whether the store has changed; a test changes it there. */
  readonly beforeCheck?: () => Promise<void>;
}

/** A manifest is written a few times a second while tables are merged, and a pass takes milliseconds. */
const MAX_PASSES = 100;

/**
 * Durable when it resolves: what the store held at one moment, whoever has it open.
 *
 * @param to does not exist yet
 * @throws CodedError `store-missing`; `store-busy`: the store changed all the while
 */
export async function cloneStore(from: string, to: string, options: CloneOptions = {}): Promise<Cloned> {
  const { maxPasses = MAX_PASSES, beforeCheck } = options;
  await dataFilesOf(from);
  await mkdir(to, { mode: 0o700 });
  const clone = new Clone(from, to);
  for (let pass = 0; pass < maxPasses; pass++) {
    const manifest = await clone.takeManifest();
    await clone.takeRest();
    await beforeCheck?.();
    if (manifest === null || !(await clone.isStill(manifest))) continue;
    return clone.synced();
  }
  throw codedError('store-busy', 'another process changed the store all the while it was looked at', {
    directory: from,
    passes: maxPasses,
  });
}

interface CopiedManifest {
  /** What CURRENT says; null where there is none, which whoever opens the store refuses. */
  readonly current: string | null;
  readonly file: string;
  readonly bytes: number;
}

class Clone {
  readonly #from: string;
  readonly #to: string;
  readonly #linked = new Map<string, number>();
  /** With the bytes of each that were there to copy. */
  readonly #copied = new Map<string, number>();

  constructor(from: string, to: string) {
    this.#from = from;
    this.#to = to;
  }

  /** @returns null: the manifest was replaced meanwhile */
  async takeManifest(): Promise<CopiedManifest | null> {
    if (!(await this.#copy(CURRENT))) return { current: null, file: '', bytes: 0 };
    const current = await readFile(join(this.#to, CURRENT), 'utf8');
    const file = current.trim();
    // One that is named and not there is for whoever opens the clone to refuse.
    if (!/^MANIFEST-\d+$/.test(file) || !(await this.#copy(file))) {
      return (await this.#currentIs(current)) ? { current, file: '', bytes: 0 } : null;
    }
    return { current, file, bytes: this.#copied.get(file) ?? 0 };
  }

  async takeRest(): Promise<void> {
    for (const file of await dataFilesOf(this.#from)) {
      if (this.#linked.has(file)) continue;
      if (TABLE.test(file) && !this.#copied.has(file) && (await this.#link(file))) continue;
      // A log grows, and a table that cannot be linked may have been half written.
      if ((await sizeOf(join(this.#from, file))) !== this.#copied.get(file)) await this.#copy(file);
    }
  }

  async isStill({ bytes, current, file }: CopiedManifest): Promise<boolean> {
    const isOfSize = file === '' || (await sizeOf(join(this.#from, file))) === bytes;
    return isOfSize && this.#currentIs(current);
  }

  async synced(): Promise<Cloned> {
    for (const file of this.#copied.keys()) await synced(join(this.#to, file));
    await synced(this.#to);
    return { linkedBytes: sum(this.#linked), copiedBytes: sum(this.#copied) };
  }

  async #currentIs(text: string | null): Promise<boolean> {
    return (await orNull(readFile(join(this.#from, CURRENT), 'utf8'))) === text;
  }

  /** @returns false where it cannot be linked; what has gone meanwhile counts as linked */
  async #link(file: string): Promise<boolean> {
    const to = join(this.#to, file);
    const isLinked = await orNull(linked(join(this.#from, file), to));
    if (isLinked === true) this.#linked.set(file, (await stat(to)).size);
    return isLinked !== false;
  }

  /** @returns whether it was there */
  async #copy(file: string): Promise<boolean> {
    const to = join(this.#to, file);
    const copying = copyFile(join(this.#from, file), to, constants.COPYFILE_FICLONE);
    const isThere = (await orNull(copying.then(() => true))) === true;
    if (isThere) this.#copied.set(file, (await stat(to)).size);
    return isThere;
  }
}

/**
 * Holds a clone against what it was made of: the same files, each the same one on the disk or of the same bytes.
 *
 * @throws CodedError `backup-failed`
 */
export async function verifyClone(from: string, to: string): Promise<void> {
  const [files, cloned] = await Promise.all([dataFilesOf(from), dataFilesOf(to)]);
  if (files.join() !== cloned.join()) throw different('has other files', to, {});
  for (const file of files) {
    const [was, is] = await Promise.all([stat(join(from, file)), stat(join(to, file))]);
    if (was.ino === is.ino && was.dev === is.dev) continue;
    if ((await digestOf(join(from, file))) !== (await digestOf(join(to, file)))) {
      throw different('has a file that differs', to, { file });
    }
  }
}

/** Bytes that a clone beside the store would copy. */
export async function bytesToCopy(from: string, links: boolean): Promise<number> {
  let bytes = 0;
  for (const file of await dataFilesOf(from)) {
    if (!links || !TABLE.test(file)) bytes += (await sizeOf(join(from, file))) ?? 0;
  }
  return bytes;
}

export async function removeClone(directory: string): Promise<void> {
  await rm(directory, { recursive: true, force: true });
}

function sum(files: ReadonlyMap<string, number>): number {
  return [...files.values()].reduce((total, bytes) => total + bytes, 0);
}

/** @returns null where it has gone */
async function sizeOf(path: string): Promise<number | null> {
  return (await orNull(stat(path)))?.size ?? null;
}

/** Null in place of the error that a file is not there. */
async function orNull<T>(found: Promise<T>): Promise<T | null> {
  try {
    return await found;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    return null;
  }
}

async function dataFilesOf(directory: string): Promise<string[]> {
  const files = await readdir(directory).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    throw codedError('store-missing', 'there is no store in the data directory', { directory });
  });
  return files.filter((file) => !NOT_DATA.test(file)).sort();
}

/** @returns false where the file system has no such links, or has as many as it can */
async function linked(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (error) {
    if (['EPERM', 'EMLINK', 'ENOTSUP', 'ENOSYS', 'EXDEV'].includes((error as NodeJS.ErrnoException).code ?? '')) {
      return false;
    }
    throw error;
  }
}

async function digestOf(path: string): Promise<string> {
  const digest = createHash('sha256');
  for await (const part of createReadStream(path)) digest.update(part as Uint8Array);
  return digest.digest('hex');
}

function different(what: string, directory: string, details: Readonly<Record<string, string>>) {
  return codedError('backup-failed', `the backup ${what}: it was not taken for one`, { directory, ...details });
}
