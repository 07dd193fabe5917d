/**
 * A second directory with the same store in it, without a second copy of what never changes: LevelDB writes a table once
 * and deletes it later, so tables are hard links where the file system has them; the files that it goes on writing
 * (log, manifest, CURRENT) are copied. (LevelDB, doc/impl.md.)
 */
import { createHash } from 'node:crypto';
import { constants, createReadStream } from 'node:fs';
import { copyFile, link, mkdir, open, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { codedError } from '../base/result.ts';

export interface Cloned {
  readonly linkedBytes: number;
  readonly copiedBytes: number;
}

const TABLE = /\.(ldb|sst)$/;
/** LevelDB's lock, and what it tells people. */
const NOT_DATA = /^(LOCK|LOG|LOG\.old)$/;

/**
 * Durable when it resolves.
 *
 * @param from a store that nobody has open
 * @param to does not exist yet
 * @throws CodedError `store-missing`
 */
export async function cloneStore(from: string, to: string): Promise<Cloned> {
  const files = await dataFilesOf(from);
  await mkdir(to, { mode: 0o700 });
  let linkedBytes = 0;
  let copiedBytes = 0;
  for (const file of files) {
    const { size } = await stat(join(from, file));
    if (TABLE.test(file) && (await linked(join(from, file), join(to, file)))) linkedBytes += size;
    else {
      await copyFile(join(from, file), join(to, file), constants.COPYFILE_FICLONE);
      await synced(join(to, file));
      copiedBytes += size;
    }
  }
  await synced(to);
  return { linkedBytes, copiedBytes };
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
    if (!links || !TABLE.test(file)) bytes += (await stat(join(from, file))).size;
  }
  return bytes;
}

export async function removeClone(directory: string): Promise<void> {
  await rm(directory, { recursive: true, force: true });
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

async function synced(path: string): Promise<void> {
  const handle = await open(path);
  try {
    await handle.sync();
  } finally {
    await handle.close();
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
