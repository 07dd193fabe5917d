/**
 * Snapshots of one machine: each there whole or not at all, as files are that are synced and renamed. They outlive
 * processes; a write takes its time and ends with its process.
 */
import { createHash } from 'node:crypto';
import { concatBytes } from '../../../src/base/bytes.ts';
import { codedError } from '../../../src/base/result.ts';
import type { SnapshotStore } from '../../../src/node/raft/snapshot-store.ts';
import type { SnapshotMeta } from '../../../src/raft/contract.ts';
import type { StoredSnapshot } from '../../../src/raft/stored-records.ts';
import type { Owner, Scheduler } from '../scheduler.ts';
import type { DiskFaults } from '../simulated-disk.ts';

const KEPT = 2;
const PIECE_BYTES = 64;

/** What is on the disk of a machine, by name. */
export class SnapshotFolder {
  readonly files = new Map<string, Uint8Array>();
  written = 0;

  wipe(): void {
    this.files.clear();
  }
}

/** The folder as one process has it open. */
export class SimulatedSnapshots implements SnapshotStore {
  readonly #folder: SnapshotFolder;
  readonly #scheduler: Scheduler;
  readonly #process: Owner;
  readonly #faults: DiskFaults;

  constructor(folder: SnapshotFolder, scheduler: Scheduler, process: Owner, faults: DiskFaults) {
    this.#folder = folder;
    this.#scheduler = scheduler;
    this.#process = process;
    this.#faults = faults;
  }

  async write(meta: SnapshotMeta, state: AsyncIterable<Uint8Array>, sizeBytes: number | null): Promise<StoredSnapshot> {
    const pieces: Uint8Array[] = [];
    for await (const piece of state) pieces.push(piece.slice());
    const bytes = concatBytes(...pieces);
    if (sizeBytes !== null && bytes.length !== sizeBytes) {
      throw codedError('raft-snapshot-cut-off', 'the snapshot ended before its end', { sizeBytes });
    }
    await this.#written();
    if (this.#faults.mode === 'full') throw codedError('raft-snapshot-no-space', 'the simulated disk is full', {});
    const { configuration, lastIndex, lastTerm } = meta;
    const file = `${String(++this.#folder.written).padStart(10, '0')}-${lastTerm}-${lastIndex}`;
    this.#folder.files.set(file, bytes);
    const checksum = new Uint8Array(createHash('sha256').update(bytes).digest());
    return { lastIndex, lastTerm, configuration, file, sizeBytes: bytes.length, checksum };
  }

  async *read({ checksum, file }: StoredSnapshot): AsyncIterable<Uint8Array> {
    const bytes = this.#folder.files.get(file);
    const isWhole = bytes !== undefined && createHash('sha256').update(bytes).digest().equals(checksum);
    if (!isWhole) throw codedError('raft-snapshot-damaged', 'the simulated snapshot is not what it was', { file });
    for (let at = 0; at < bytes.length; at += PIECE_BYTES) yield bytes.subarray(at, at + PIECE_BYTES);
  }

  has({ file, sizeBytes }: StoredSnapshot): Promise<boolean> {
    return Promise.resolve(this.#folder.files.get(file)?.length === sizeBytes);
  }

  prune(newest: StoredSnapshot): Promise<void> {
    const older = [...this.#folder.files.keys()].filter((file) => file < newest.file).sort();
    for (const file of older.slice(0, Math.max(0, older.length - (KEPT - 1)))) this.#folder.files.delete(file);
    return Promise.resolve();
  }

  /** A process that ends before that has written nothing. */
  #written(): Promise<void> {
    this.#faults.onEffect('before-write');
    return new Promise((resolve) => {
      this.#scheduler.after(this.#faults.writeMs(true), this.#process, () => {
        this.#faults.onEffect('after-write');
        if (!this.#process.ended) resolve();
      });
    });
  }
}
