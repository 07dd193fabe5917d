/** A snapshot as one file, to be carried without a network. Each part is checked on its way. */
import { open, rename, rm, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { codedError } from '../../base/result.ts';
import { throughChunks } from './chunk-threads.ts';
import { chunkTasks, chunkWork, type ChunkProgress, type OpenSnapshot } from './open-snapshot.ts';
import { syncFolder } from './snapshot-folder.ts';
import { FILE_OPENING, LENGTH_BYTES } from './snapshot-source.ts';
import { diskError } from './disk-error.ts';

/**
 * @param path is not there yet; what is there under it is whole
 * @returns the size of the file
 * @throws CodedError `file-exists`, `snapshot-no-space`, `snapshot-write-failed`, the refusal of the first chunk that does
 *   not hold: no file is left then
 */
export async function exportSnapshot(
  snapshot: OpenSnapshot,
  path: string,
  threads: number,
  onProgress: (progress: ChunkProgress) => void,
): Promise<number> {
  const part = `${path}.part`;
  await refuseExisting(path);
  try {
    const bytes = await writeAll(snapshot, part, threads, onProgress);
    await rename(part, path);
    await syncFolder(dirname(path));
    return bytes;
  } catch (error) {
    await rm(part, { force: true });
    throw diskError(error);
  }
}

async function writeAll(
  snapshot: OpenSnapshot,
  path: string,
  threads: number,
  onProgress: (progress: ChunkProgress) => void,
): Promise<number> {
  const handle = await open(path, 'w', 0o600);
  try {
    const file = new InOrder(handle);
    await file.write(FILE_OPENING);
    await file.writePart(snapshot.source.manifest);
    const tasks = chunkTasks(snapshot, () => ({ gives: true }));
    let chunks = 0;
    await throughChunks(chunkWork(snapshot), tasks, threads, async ({ bytes, index }) => {
      await file.writeAt(index, bytes ?? new Uint8Array(0));
      onProgress({ chunks: ++chunks, totalChunks: tasks.length });
    });
    await handle.sync();
    return file.bytes;
  } finally {
    await handle.close();
  }
}

/** Writes parts in the order of their indexes, whichever is ready first: a few wait, as many as threads are at work. */
class InOrder {
  readonly #handle: FileHandle;
  readonly #waiting = new Map<number, () => void>();
  #next = 0;
  bytes = 0;

  constructor(handle: FileHandle) {
    this.#handle = handle;
  }

  async write(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length;) at += (await this.#handle.write(bytes, at, bytes.length - at)).bytesWritten;
    this.bytes += bytes.length;
  }

  async writePart(bytes: Uint8Array): Promise<void> {
    const length = new Uint8Array(LENGTH_BYTES);
    new DataView(length.buffer).setUint32(0, bytes.length);
    await this.write(length);
    await this.write(bytes);
  }

  async writeAt(index: number, bytes: Uint8Array): Promise<void> {
    if (index !== this.#next) await new Promise<void>((resolve) => this.#waiting.set(index, resolve));
    await this.writePart(bytes);
    this.#next++;
    this.#waiting.get(this.#next)?.();
    this.#waiting.delete(this.#next);
  }
}

async function refuseExisting(path: string): Promise<void> {
  try {
    const handle = await open(path);
    await handle.close();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw diskError(error);
  }
  throw codedError('file-exists', 'the file is there already; nothing was written', { path });
}
