/** How a snapshot is named among nodes, and what a server says of those that it has. */
import type { Hash } from '../base/hash.ts';

/** Which snapshot: of the same height, root and depth every server has the same chunks. */
export interface SnapshotName {
  readonly height: number;
  readonly stateRoot: Hash;
  /** There are 2^depth chunks. */
  readonly depth: number;
}

export interface OfferedSnapshot extends SnapshotName {
  /** Of all chunks together. */
  readonly bytes: number;
}

/** What a server says of itself: to choose whom to ask for what, never to be believed. */
export interface SnapshotOffer {
  /** The height that it stands at. */
  readonly headHeight: number;
  /** The lowest height whose block it serves by block sync, genesis apart; above the head where it has none. */
  readonly oldestBlock: number;
  readonly snapshots: readonly OfferedSnapshot[];
}

export function isSameSnapshot(a: SnapshotName, b: SnapshotName): boolean {
  return a.height === b.height && a.stateRoot === b.stateRoot && a.depth === b.depth;
}
