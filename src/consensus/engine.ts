/**
 * The contract of a consensus engine: a synchronous state machine that is told what happened and answers with an
 * ordered list of what to do. It never does anything itself.
 *
 * Law 1. Nothing listed after a `persist` or a `commit` happens before that effect is durable.
 * Law 2. Hostile input yields `refused`. Only our own bug throws, and then the process stops.
 * Law 3. Keys never enter an engine. It asks for a ballot to be cast; the shell signs it.
 * Law 4. Time and randomness are inputs. The same inputs give the same outputs, byte for byte.
 */
import type { Hash } from '../base/hash.ts';
import type { Refusal } from '../base/result.ts';
import type { Block, SealedBlock } from '../ledger/block.ts';
import type { StateChange } from '../ledger/state.ts';
import type { VerifiedEvent } from '../ledger/verified-event.ts';

/** Position of a validator in the sorted set of its epoch. */
export type ValidatorIndex = number;

/** `all` is every validator but this one; a list may name this one, and the shell then loops the message back. */
export type Recipients = 'all' | readonly ValidatorIndex[];

/**
 * @template M an admitted protocol message: decoded, bounded, signatures verified. Only `node/admit` makes one.
 * @template J a job for the verification pool (expensive aggregate checks)
 * @template R the outcome of a job
 * @template O a message to be sent: not yet signed, and not admitted by anybody
 */
export interface Engine<M, J, R, O = M> {
  /** @param nowMs the node's clock, unix milliseconds; it may step back, and an engine must survive that */
  step(input: Input<M, R>, nowMs: number): readonly Effect<O, J>[];
  status(): EngineStatus;
  /** When the engine next wants a `tick`, unix milliseconds; undefined while there is nothing to wait for. */
  wakeAtMs(): number | undefined;
}

export type Input<M, R> =
  /** The first input after construction: resume, resend what the safety record holds. */
  | { readonly kind: 'started' }
  | { readonly kind: 'tick' }
  /** Events whose signatures were verified, from this node's submitters or from another validator. */
  | { readonly kind: 'submitted'; readonly events: readonly VerifiedEvent[] }
  | { readonly kind: 'received'; readonly from: ValidatorIndex; readonly message: M }
  /** A stream to this validator is up (again). */
  | { readonly kind: 'connected'; readonly peer: ValidatorIndex }
  | { readonly kind: 'disconnected'; readonly peer: ValidatorIndex }
  /** The outcome of a `verify` effect. */
  | { readonly kind: 'verified'; readonly job: number; readonly outcome: R }
  /**
   * Committed blocks with verified seals, consecutive from `blocks[0]`: by sync, gossip or snapshot. `request`: of the
   * fetch that they answer; absent when nobody asked.
   */
  | { readonly kind: 'sealed'; readonly blocks: readonly VerifiedSealedBlock[]; readonly request?: number }
  /** A block was announced that could not be verified: there may be a true one to ask for. */
  | { readonly kind: 'announced' }
  /** The answer to a `fetch` of blocks by id: what verified certificates name. */
  | { readonly kind: 'fetched'; readonly request: number; readonly message: M }
  | { readonly kind: 'fetchFailed'; readonly request: number; readonly refusal: Refusal };

declare const sealChecked: unique symbol;

/** A sealed block whose seal was verified by the validator set of its epoch. Only `node/admit` and replay make one. */
export interface VerifiedSealedBlock extends SealedBlock {
  /** The block's events: certified, so verified by those who voted for it. */
  readonly events: readonly VerifiedEvent[];
  readonly [sealChecked]: true;
}

export type Effect<M, J> =
  /** Write the safety record (encoded) and these uncommitted blocks, durably, before anything listed later. */
  | { readonly kind: 'persist'; readonly safety: Uint8Array; readonly blocks: readonly StoredBlock[] }
  /** Sign `preimage`, put the signature into `message`, send it. */
  | {
      readonly kind: 'cast';
      readonly signWith: 'bls' | 'identity';
      readonly preimage: Uint8Array;
      readonly message: M;
      readonly to: Recipients;
    }
  | { readonly kind: 'send'; readonly message: M; readonly to: Recipients }
  /** Run on the verification pool; the answer comes as `verified` with the same number. */
  | { readonly kind: 'verify'; readonly job: number; readonly work: J }
  /** These blocks are final, in height order; write them with their state changes, durably. */
  | { readonly kind: 'commit'; readonly blocks: readonly CommittedBlock[]; readonly forgotten: readonly Hash[] }
  /**
   * These entries have waited too long: send their events to all again (the shell's own frame, as when they were
   * submitted). Else an event that only this validator holds waits until it leads.
   */
  | { readonly kind: 'forward'; readonly events: readonly VerifiedEvent[] }
  | {
      readonly kind: 'fetch';
      readonly request: number;
      readonly what: FetchTarget;
      readonly from: readonly ValidatorIndex[];
    }
  /** Mempool entries that will never be in a block: answer their submitters. */
  | { readonly kind: 'rejected'; readonly event: Hash; readonly refusal: Refusal }
  /** Something of others was refused: count it, log it, perhaps drop the peer. */
  | { readonly kind: 'refused'; readonly from: ValidatorIndex | null; readonly refusal: Refusal }
  /** Proof of another's misbehaviour, verified: keep it, expose it, submit it to the ledger. */
  | {
      readonly kind: 'evidence';
      readonly offender: ValidatorIndex;
      readonly epoch: number;
      readonly bytes: Uint8Array;
    };

/** An uncommitted block with the certificate of its parent, encoded as it is kept on disk and served by id. */
export interface StoredBlock {
  readonly id: Hash;
  readonly bytes: Uint8Array;
}

export interface CommittedBlock {
  readonly block: Block;
  readonly sealed: SealedBlock;
  readonly changes: readonly StateChange[];
}

export type FetchTarget =
  | { readonly kind: 'blocks'; readonly ids: readonly Hash[] }
  /** Sealed blocks from this height on, as many as the server gives. */
  | { readonly kind: 'sealed'; readonly fromHeight: number };

export interface EngineStatus {
  /** `joining`: none yet. */
  readonly engine: 'hotstuff' | 'raft' | 'follower' | 'joining';
  readonly epoch: number;
  readonly round: number;
  readonly height: number;
  readonly headId: Hash;
  readonly stateRoot: Hash;
  readonly highCertificateRound: number;
  readonly lockedRound: number;
  readonly lastVotedRound: number;
  readonly uncommittedBlocks: number;
  readonly mempoolEvents: number;
  readonly idle: boolean;
  readonly leader: ValidatorIndex | null;
  /** Why the engine does not sign, or null. */
  readonly silentBecause: string | null;
}
