/**
 * The snapshots of a data directory: `snapshots/<height>/manifest` and `chunk-00000` and so on. A folder that is called
 * by a height is whole, whenever the process ended: a snapshot is made under another name, and loses its name before it
 * is removed.
 */
import { mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { FileHandle } from 'node:fs/promises';
import { MAX_CHUNK_BYTES } from '../../ledger/snapshot-chunk.ts';
import { MAX_MANIFEST_BYTES } from '../../ledger/snapshot-manifest.ts';

const WHOLE = /^(0|[1-9]\d{0,15})$/;
/** Being made. */
const PART = '.part';
/** Being removed. */
const GONE = '.gone';

export const MANIFEST_FILE = 'manifest';

export function chunkFile(index: number): string {
  return `chunk-${String(index).padStart(5, '0')}`;
}

export function snapshotsDirectory(dataDirectory: string): string {
  return join(dataDirectory, 'snapshots');
}

export class SnapshotFolder {
  readonly directory: string;

  /** @param directory need not be there */
  constructor(directory: string) {
    this.directory = directory;
  }

  static of(dataDirectory: string): SnapshotFolder {
    return new SnapshotFolder(snapshotsDirectory(dataDirectory));
  }

  /** The heights of the whole snapshots, the newest first. */
  async heights(): Promise<readonly number[]> {
    const names = await readdir(this.directory).catch((error: unknown): string[] => absent(error, []));
    return names
      .filter((name) => WHOLE.test(name))
      .map(Number)
      .sort((a, b) => b - a);
  }

  /** As it lies on the disk, unchecked; undefined where there is none. */
  manifest(height: number): Promise<Uint8Array | undefined> {
    return this.#read(height, MANIFEST_FILE, MAX_MANIFEST_BYTES);
  }

  /** As it lies on the disk, unchecked; undefined where there is none. */
  chunk(height: number, index: number): Promise<Uint8Array | undefined> {
    return this.#read(height, chunkFile(index), MAX_CHUNK_BYTES);
  }

  pathOf(height: number): string {
    return join(this.directory, String(height));
  }

  /** An empty folder to make a snapshot in, in place of what a crash left there. */
  async begin(height: number): Promise<string> {
    const part = this.pathOf(height) + PART;
    await rm(part, { recursive: true, force: true });
    await mkdir(part, { recursive: true, mode: 0o700 });
    return part;
  }

  /** The same, with what an earlier run has put there. */
  async resume(height: number): Promise<string> {
    const part = this.pathOf(height) + PART;
    await mkdir(part, { recursive: true, mode: 0o700 });
    return part;
  }

  /** What was made there has all of its files, synced: from now on it is a snapshot. */
  async finish(height: number): Promise<void> {
    const path = this.pathOf(height);
    await syncFolder(path + PART);
    await rename(path + PART, path);
    await syncFolder(this.directory);
  }

  async giveUp(height: number): Promise<void> {
    await rm(this.pathOf(height) + PART, { recursive: true, force: true });
  }

  async remove(height: number): Promise<void> {
    const path = this.pathOf(height);
    await rm(path + GONE, { recursive: true, force: true });
    await rename(path, path + GONE);
    await syncFolder(this.directory);
    await rm(path + GONE, { recursive: true, force: true });
  }

  /**
   * Removes all but the newest.
   *
   * @returns the heights that went
   */
  async keepNewest(count: number): Promise<readonly number[]> {
    const older = (await this.heights()).slice(count);
    for (const height of older) await this.remove(height);
    return older;
  }

  /** Clears away what a crash left half made or half removed. Nobody else works in the folder. */
  async tidy(): Promise<void> {
    const names = await readdir(this.directory).catch((error: unknown): string[] => absent(error, []));
    for (const name of names) {
      if (name.endsWith(PART) || name.endsWith(GONE)) {
        await rm(join(this.directory, name), { recursive: true, force: true });
      }
    }
  }

  async #read(height: number, name: string, maxBytes: number): Promise<Uint8Array | undefined> {
    let handle: FileHandle;
    try {
      handle = await open(join(this.pathOf(height), name));
    } catch (error) {
      return absent(error, undefined);
    }
    try {
      // A file that is larger than any such file may be is not read: what is handed out is refused for its size.
      const { size } = await handle.stat();
      if (size > maxBytes) return new Uint8Array(0);
      return new Uint8Array(await readFile(handle));
    } finally {
      await handle.close();
    }
  }
}

export async function syncFolder(path: string): Promise<void> {
  const handle = await open(path);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function absent<T>(error: unknown, value: T): T {
  if ((error as NodeJS.ErrnoException).code === 'ENOENT') return value;
  throw error;
}
