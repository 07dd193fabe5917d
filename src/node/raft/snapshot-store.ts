/**
 * Where snapshots are kept: the state as one stream of bytes, of this server's own making or received. A snapshot is
 * there whole or not at all, whenever the process ends.
 */
import type { SnapshotMeta } from '../../raft/contract.ts';
import type { StoredSnapshot } from '../../raft/stored-records.ts';

export interface SnapshotStore {
  /**
   * Writes the state, durably, under a name of its own.
   *
   * @param sizeBytes of a state that another server sends; null for this server's own, whose size nobody knows yet
   * @throws CodedError `raft-snapshot-too-large`, `raft-snapshot-no-space`, `raft-snapshot-cut-off`,
   *   `raft-snapshot-write-failed`, and what the stream throws
   */
  write(meta: SnapshotMeta, state: AsyncIterable<Uint8Array>, sizeBytes: number | null): Promise<StoredSnapshot>;
  /**
   * The state, in pieces. Its checksum is compared at the end.
   *
   * @throws CodedError `raft-snapshot-damaged`
   */
  read(snapshot: StoredSnapshot): AsyncIterable<Uint8Array>;
  /** Whether a snapshot is there with the size it had; its bytes are checked when they are read. */
  has(snapshot: StoredSnapshot): Promise<boolean>;
  /** Keeps this one and the newest before it. */
  prune(newest: StoredSnapshot): Promise<void>;
}
