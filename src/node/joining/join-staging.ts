/**
 * What a joining node has fetched and verified so far, in `joining/` of its data directory. A file that has its name is
 * whole and synced, so that an end at any moment loses at most what was being written:
 *
 *     joining/<height>/manifest       which snapshot it is; the last that goes when another is begun is the folder
 *     joining/<height>/chunk-00000    and so on
 */
import { mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { codedError, type Result } from '../../base/result.ts';
import type { KeptSnapshot } from '../../consensus/join-contract.ts';
import { snapshotNameOf } from '../../ledger/snapshot-checks.ts';
import type { VerifiedManifest } from '../../ledger/snapshot-manifest.ts';
import type { SnapshotName } from '../../ledger/snapshot-offer.ts';
import { chunkFile, MANIFEST_FILE, SnapshotFolder, syncFolder } from '../snapshot/snapshot-folder.ts';

const CHUNK_NAME = /^chunk-(\d{5})$/;
/** Being written. */
const DRAFT = '.draft';

export class JoinStaging {
  /** As others read it, once every chunk is kept. */
  readonly folder: SnapshotFolder;
  readonly #directory: string;

  constructor(dataDirectory: string) {
    this.#directory = join(dataDirectory, 'joining');
    this.folder = new SnapshotFolder(this.#directory);
  }

  /** Whether a join was begun here and not ended. */
  isThere(): Promise<boolean> {
    return stat(this.#directory).then(
      () => true,
      () => false,
    );
  }

  /**
   * What an earlier run left. Its manifest is checked again, its chunks are when they are put into the ledger.
   *
   * @returns null where there is nothing of use, which then is cleared away
   */
  async load(check: (manifest: Uint8Array) => Result<VerifiedManifest>): Promise<KeptSnapshot | null> {
    for (const folder of await names(this.#directory)) {
      const manifest = await readFile(join(this.#directory, folder, MANIFEST_FILE)).catch(() => undefined);
      const checked = manifest === undefined ? undefined : check(new Uint8Array(manifest));
      if (checked?.ok !== true || String(checked.value.manifest.height) !== folder) continue;
      const of = snapshotNameOf(checked.value);
      const kept = (await names(join(this.#directory, folder)))
        .map((name) => Number(CHUNK_NAME.exec(name)?.[1] ?? NaN))
        .filter((index) => index < 2 ** of.depth);
      return { of, kept };
    }
    await this.discard();
    return null;
  }

  /** From here on this snapshot. @throws CodedError `join-write-failed` */
  async begin(of: SnapshotName, manifest: Uint8Array): Promise<void> {
    await written(async () => {
      await this.discard();
      await mkdir(this.folderOf(of), { recursive: true, mode: 0o700 });
      await this.#write(of, MANIFEST_FILE, manifest);
      await syncFolder(this.#directory);
    });
  }

  /** Resolves when the chunk is durable. @throws CodedError `join-write-failed` */
  keep(of: SnapshotName, index: number, bytes: Uint8Array): Promise<void> {
    return written(() => this.#write(of, chunkFile(index), bytes));
  }

  /** The disk did not keep it. */
  async forget(of: SnapshotName, index: number): Promise<void> {
    await rm(join(this.folderOf(of), chunkFile(index)), { force: true });
  }

  folderOf({ height }: Pick<SnapshotName, 'height'>): string {
    return this.folder.pathOf(height);
  }

  discard(): Promise<void> {
    return rm(this.#directory, { recursive: true, force: true });
  }

  async #write(of: SnapshotName, name: string, bytes: Uint8Array): Promise<void> {
    const folder = this.folderOf(of);
    const path = join(folder, name);
    const handle = await open(path + DRAFT, 'w', 0o600);
    try {
      await handle.writeFile(bytes);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(path + DRAFT, path);
    await syncFolder(folder);
  }
}

async function names(directory: string): Promise<readonly string[]> {
  return readdir(directory).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  });
}

async function written(write: () => Promise<void>): Promise<void> {
  try {
    await write();
  } catch (error) {
    throw codedError(
      'join-write-failed',
      'what was fetched of a snapshot cannot be written; what was written before is kept',
      { reason: (error as Error).message },
      { cause: error },
    );
  }
}
