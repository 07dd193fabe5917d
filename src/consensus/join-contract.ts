/**
 * The contract of joining: how a node that has nothing gets a state to begin from. As with an engine, the machine is told
 * what happened and answers with what to do, in order; time is an input, and what others send is judged, never trusted.
 */
import type { Refusal, Result } from '../base/result.ts';
import type { SnapshotName, SnapshotOffer } from '../ledger/snapshot-offer.ts';

/** Peer id of a node that may serve snapshots. */
export type ServerId = string;

/** What bytes are checked by: pure, and against the genesis alone. */
export interface SnapshotChecks {
  /** That a quorum of the genesis's validators, or of those that they handed over to, sealed this root at this height. */
  manifest(of: SnapshotName, bytes: Uint8Array): Result<unknown>;
  /** That these are exactly the entries that the state of this root has in this chunk. */
  chunk(of: SnapshotName, index: number, bytes: Uint8Array): Result<unknown>;
}

export type JoinQuestion =
  | { readonly kind: 'offer' }
  | { readonly kind: 'manifest'; readonly of: SnapshotName }
  | { readonly kind: 'chunk'; readonly of: SnapshotName; readonly index: number };

export type JoinInput =
  | { readonly kind: 'tick' }
  /** All servers that are known now. */
  | { readonly kind: 'known'; readonly servers: readonly ServerId[] }
  | { readonly kind: 'offered'; readonly request: number; readonly offer: SnapshotOffer }
  /** The bytes of a manifest or a chunk, as they came. */
  | { readonly kind: 'answered'; readonly request: number; readonly bytes: Uint8Array }
  | { readonly kind: 'failed'; readonly request: number; readonly refusal: Refusal }
  /** A chunk is durable. */
  | { readonly kind: 'kept'; readonly of: SnapshotName; readonly index: number };

export type JoinEffect =
  | {
      readonly kind: 'ask';
      readonly request: number;
      readonly server: ServerId;
      readonly what: JoinQuestion;
      readonly deadlineMs: number;
    }
  /** From here on this snapshot: what was kept of another goes, the manifest is kept durably. */
  | { readonly kind: 'begin'; readonly of: SnapshotName; readonly manifest: Uint8Array }
  /** Keep this verified chunk durably, and say so. */
  | { readonly kind: 'keep'; readonly of: SnapshotName; readonly index: number; readonly bytes: Uint8Array }
  /** The server sent what is false: it is not asked again. */
  | { readonly kind: 'dropped'; readonly server: ServerId; readonly refusal: Refusal }
  /** The server failed to answer: it is asked again later. */
  | { readonly kind: 'failed'; readonly server: ServerId; readonly what: JoinQuestion; readonly refusal: Refusal }
  | { readonly kind: 'end'; readonly outcome: JoinOutcome };

export type JoinOutcome =
  /** Every chunk of it is durable. */
  | { readonly kind: 'snapshot'; readonly of: SnapshotName }
  /** There is none to be had: begin at genesis, and take every block. */
  | { readonly kind: 'genesis'; readonly because: 'nobody-answers' | 'no-snapshots' | 'snapshots-not-given' }
  /** Of a node that has a ledger: others have the blocks behind it all the same, so it goes on with that. */
  | { readonly kind: 'own-ledger' };

/** A part of a snapshot that is durable from an earlier run. */
export interface KeptSnapshot {
  readonly of: SnapshotName;
  /** Of chunks. */
  readonly kept: readonly number[];
}

export interface ServerStatus {
  readonly server: ServerId;
  /** Verified chunks that came from it. */
  readonly chunks: number;
  readonly bytes: number;
  /** Why it is not asked again, by code; null while it is. */
  readonly droppedBecause: string | null;
}

export interface JoinStatus {
  /** `asking` for offers, then for a `manifest`, then for `chunks`. */
  readonly phase: 'asking' | 'manifest' | 'chunks' | 'ended';
  /** Of the snapshot that is being fetched, or null. */
  readonly height: number | null;
  readonly chunksKept: number;
  readonly chunks: number;
  /** Fetched and verified since the start. */
  readonly bytes: number;
  readonly bytesPerSecond: number;
  /** What servers say of the network's head: never more than two of them say, where more than one answered. */
  readonly headHeight: number;
  readonly servers: readonly ServerStatus[];
  /** Why nothing goes on, by code, or null. */
  readonly stuckBecause: string | null;
}
