/** Snapshots in memory, for servers whose log is there too. */
import { sha256 } from '../../../src/base/hash.ts';
import { codedError } from '../../../src/base/result.ts';
import type { SnapshotStore } from '../../../src/node/raft/snapshot-store.ts';
import type { SnapshotMeta } from '../../../src/raft/contract.ts';
import type { StoredSnapshot } from '../../../src/raft/stored-records.ts';

export class MemorySnapshots implements SnapshotStore {
  readonly #states = new Map<string, Uint8Array>();
  #next = 1;

  async write(meta: SnapshotMeta, state: AsyncIterable<Uint8Array>, sizeBytes: number | null): Promise<StoredSnapshot> {
    const pieces: Uint8Array[] = [];
    for await (const piece of state) pieces.push(piece.slice());
    const bytes = new Uint8Array(Buffer.concat(pieces));
    if (sizeBytes !== null && sizeBytes !== bytes.length)
      throw codedError('raft-snapshot-cut-off', 'the snapshot ended before its end', { sizeBytes });
    const file = String(this.#next++).padStart(10, '0');
    this.#states.set(file, bytes);
    return { ...meta, file, sizeBytes: bytes.length, checksum: sha256(bytes) };
  }

  async *read({ file }: StoredSnapshot): AsyncIterable<Uint8Array> {
    const bytes = this.#states.get(file);
    if (bytes === undefined) throw codedError('raft-snapshot-damaged', 'the snapshot is not there', { file });
    yield bytes;
  }

  async has({ file }: StoredSnapshot): Promise<boolean> {
    return this.#states.has(file);
  }

  async prune({ file }: StoredSnapshot): Promise<void> {
    const older = [...this.#states.keys()].filter((name) => name < file).sort();
    for (const name of older.slice(0, -1)) this.#states.delete(name);
  }
}
