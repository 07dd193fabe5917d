/**
 * Snapshots as files: `<folder>/<number>-<term>-<index>.state`, numbered in the order of writing. A file is written under
 * another name, synced, renamed, and its folder is synced, so that a name stands for a whole state. What it is of, its
 * size and its checksum are in the store (`RAFT_SNAPSHOT_KEY`); a file that no record names is of a crash on the way.
 */
import { createHash } from 'node:crypto';
import { mkdir, open, readdir, rename, rm, stat, statfs, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { codedError, CodedError } from '../../base/result.ts';
import type { SnapshotMeta } from '../../raft/contract.ts';
import type { StoredSnapshot } from '../../raft/stored-records.ts';
import { synced } from '../synced.ts';
import type { SnapshotStore } from './snapshot-store.ts';

export function raftDirectory(dataDirectory: string): string {
  return join(dataDirectory, 'raft');
}

export function raftSnapshotsDirectory(dataDirectory: string): string {
  return join(raftDirectory(dataDirectory), 'snapshots');
}

export interface SnapshotFilesOptions {
  readonly folder: string;
  readonly maxBytes: number;
  /** Of the disk, that no snapshot of another server may take. */
  readonly reserveBytes: number;
}

const KEPT = 2;
/** Small pieces of a state are written together. */
const WRITE_BYTES = 256 * 1024;
const READ_BYTES = 256 * 1024;
const NAME = /^(\d{10})-\d+-\d+\.state$/;
const PART = '.part';

export class SnapshotFiles implements SnapshotStore {
  readonly #options: SnapshotFilesOptions;
  #next: number;

  private constructor(options: SnapshotFilesOptions, next: number) {
    this.#options = options;
    this.#next = next;
  }

  /** Makes the folder where it is not there, and clears away what a crash left half written. */
  static async open(options: SnapshotFilesOptions): Promise<SnapshotFiles> {
    const { folder } = options;
    await mkdir(folder, { recursive: true });
    const names = await readdir(folder);
    for (const name of names) if (name.endsWith(PART)) await rm(join(folder, name));
    const numbers = names.map((name) => Number(NAME.exec(name)?.[1] ?? 0));
    return new SnapshotFiles(options, Math.max(0, ...numbers) + 1);
  }

  async write(meta: SnapshotMeta, state: AsyncIterable<Uint8Array>, sizeBytes: number | null): Promise<StoredSnapshot> {
    const { folder } = this.#options;
    if (sizeBytes !== null) await this.#checkRoom(sizeBytes);
    const file = `${String(this.#next++).padStart(10, '0')}-${meta.lastTerm}-${meta.lastIndex}.state`;
    const part = join(folder, file + PART);
    try {
      const written = await this.#writePart(part, state, sizeBytes);
      await rename(part, join(folder, file));
      await synced(folder);
      const { configuration, lastIndex, lastTerm } = meta;
      return { lastIndex, lastTerm, configuration, file, ...written };
    } catch (error) {
      await rm(part, { force: true });
      throw error instanceof CodedError ? error : writingError(error);
    }
  }

  read(snapshot: StoredSnapshot): AsyncIterable<Uint8Array> {
    return readSnapshotFile(this.#options.folder, snapshot);
  }

  async has({ file, sizeBytes }: StoredSnapshot): Promise<boolean> {
    return stat(join(this.#options.folder, file)).then(
      ({ size }) => size === sizeBytes,
      () => false,
    );
  }

  async prune(newest: StoredSnapshot): Promise<void> {
    const { folder } = this.#options;
    const older = (await listSnapshotFiles(folder)).filter((name) => name < newest.file);
    for (const name of older.slice(0, Math.max(0, older.length - (KEPT - 1)))) await rm(join(folder, name));
  }

  async #checkRoom(sizeBytes: number): Promise<void> {
    const { folder, maxBytes, reserveBytes } = this.#options;
    if (sizeBytes > maxBytes) throw tooLarge(sizeBytes, maxBytes);
    const { bavail, bsize } = await statfs(folder);
    const freeBytes = bavail * bsize;
    if (sizeBytes + reserveBytes <= freeBytes) return;
    throw codedError('raft-snapshot-no-space', 'the disk has no room for the snapshot', {
      sizeBytes,
      freeBytes,
      reserveBytes,
    });
  }

  async #writePart(
    path: string,
    state: AsyncIterable<Uint8Array>,
    expectedBytes: number | null,
  ): Promise<Pick<StoredSnapshot, 'checksum' | 'sizeBytes'>> {
    const handle = await open(path, 'wx');
    try {
      const writer = new CountingWriter(handle, expectedBytes ?? this.#options.maxBytes);
      for await (const piece of state) await writer.write(piece);
      const written = await writer.end();
      if (expectedBytes !== null && written.sizeBytes !== expectedBytes) {
        throw codedError('raft-snapshot-cut-off', 'the snapshot ended before its end', {
          sizeBytes: expectedBytes,
          receivedBytes: written.sizeBytes,
        });
      }
      await handle.datasync();
      return written;
    } finally {
      await handle.close();
    }
  }
}

/** The names of those in a folder that need not be there, the oldest first. */
export async function listSnapshotFiles(folder: string): Promise<readonly string[]> {
  const names = await readdir(folder).catch((error: unknown): string[] => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  });
  return names.filter((name) => NAME.test(name)).sort();
}

/** As `SnapshotStore.read`. @throws CodedError `raft-snapshot-damaged` */
export async function* readSnapshotFile(
  folder: string,
  { checksum, file, sizeBytes }: StoredSnapshot,
): AsyncGenerator<Uint8Array, void> {
  const handle = await open(join(folder, file)).catch((error: unknown) => {
    throw damaged(file, 'cannot be opened', error);
  });
  try {
    const hash = createHash('sha256');
    for (let at = 0; at < sizeBytes;) {
      const buffer = new Uint8Array(Math.min(READ_BYTES, sizeBytes - at));
      const { bytesRead } = await handle.read(buffer, 0, buffer.length, at);
      if (bytesRead === 0) throw damaged(file, 'is shorter than it was');
      const piece = buffer.subarray(0, bytesRead);
      hash.update(piece);
      at += bytesRead;
      // The last piece is handed out only with the whole being right.
      if (at === sizeBytes && !hash.digest().equals(checksum)) throw damaged(file, 'has changed since it was written');
      yield piece;
    }
  } finally {
    await handle.close();
  }
}

/** Counts and hashes what goes by, and writes it in larger pieces. */
class CountingWriter {
  readonly #handle: FileHandle;
  readonly #maxBytes: number;
  readonly #hash = createHash('sha256');
  #gathered: Uint8Array[] = [];
  #gatheredBytes = 0;
  #sizeBytes = 0;

  constructor(handle: FileHandle, maxBytes: number) {
    this.#handle = handle;
    this.#maxBytes = maxBytes;
  }

  async write(piece: Uint8Array): Promise<void> {
    this.#sizeBytes += piece.length;
    if (this.#sizeBytes > this.#maxBytes) throw tooLarge(this.#sizeBytes, this.#maxBytes);
    this.#hash.update(piece);
    this.#gathered.push(piece);
    this.#gatheredBytes += piece.length;
    if (this.#gatheredBytes >= WRITE_BYTES) await this.#flush();
  }

  async end(): Promise<Pick<StoredSnapshot, 'checksum' | 'sizeBytes'>> {
    await this.#flush();
    return { sizeBytes: this.#sizeBytes, checksum: new Uint8Array(this.#hash.digest()) };
  }

  async #flush(): Promise<void> {
    const pieces = this.#gathered;
    this.#gathered = [];
    this.#gatheredBytes = 0;
    for (const piece of pieces.length === 1 ? pieces : [Buffer.concat(pieces)]) await writeWhole(this.#handle, piece);
  }
}

async function writeWhole(handle: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += (await handle.write(bytes, at, bytes.length - at)).bytesWritten;
}

function tooLarge(sizeBytes: number, maxBytes: number): CodedError {
  return codedError('raft-snapshot-too-large', 'the snapshot is larger than allowed', { sizeBytes, maxBytes });
}

function damaged(file: string, what: string, cause?: unknown): CodedError {
  return codedError('raft-snapshot-damaged', `the snapshot ${file} ${what}`, { file }, { cause });
}

function writingError(cause: unknown): CodedError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  const isFull = (cause as NodeJS.ErrnoException | null)?.code === 'ENOSPC';
  return isFull
    ? codedError('raft-snapshot-no-space', 'the disk has no room for the snapshot', { reason }, { cause })
    : codedError('raft-snapshot-write-failed', 'the snapshot cannot be written', { reason }, { cause });
}
