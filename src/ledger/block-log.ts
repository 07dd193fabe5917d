/**
 * The block log and the committed state, in one store. Functions that end in `Ops` are pure: they say what to write,
 * and a turn of the loop writes all of its operations in one synced batch.
 */
import type { Hash } from '../base/hash.ts';
import type { Store, StoreOperation } from '../store/store.ts';
import type { Block, SealedBlock } from './block.ts';
import type { GenesisState } from './genesis.ts';
import type { LedgerMachine } from './machine.ts';
import type { StateChange, StateReader } from './state.ts';

/** A block that is not committed, encoded as its engine keeps it: with the certificate of its parent. */
export interface UncommittedBlock {
  readonly id: Hash;
  readonly bytes: Uint8Array;
}

export interface LogHead {
  readonly height: number;
  readonly blockId: Hash;
  readonly stateRoot: Hash;
  /** Unix seconds. */
  readonly timestamp: number;
}

export interface LogIdentity {
  readonly chainId: string;
  /** SHA-256 of the validator's BLS public key; null for a peer that does not vote. */
  readonly validatorKey: Hash | null;
}

/** One block with what it changed: its log entry, index, head, state, and its changes for the projector. */
export declare function committedBlockOps(
  sealed: SealedBlock,
  changes: readonly StateChange[],
): StoreOperation[];
export declare function uncommittedBlockOps(blocks: readonly UncommittedBlock[]): StoreOperation[];
export declare function forgottenBlockOps(ids: readonly Hash[]): StoreOperation[];
export declare function safetyRecordOps(safety: Uint8Array): StoreOperation[];

export declare class BlockLog {
  /** Writes genesis into an empty store, in one batch. Codes: `store-not-empty`. */
  static create(store: Store, identity: LogIdentity, genesis: GenesisState): Promise<BlockLog>;
  /** Codes: `store-empty`, `store-corrupt`, `layout-newer`, `layout-older`, `chain-mismatch`, `key-mismatch`. */
  static open(store: Store, identity: LogIdentity): Promise<BlockLog>;
  readonly chainId: string;
  /** The committed state, straight from the store. */
  readonly state: StateReader;
  head(): LogHead;
  sealedBytesAt(height: number): Uint8Array | undefined;
  sealedBlockAt(height: number): SealedBlock | undefined;
  heightOf(id: Hash): number | undefined;
  committedBlock(id: Hash): Block | undefined;
  uncommittedBytes(id: Hash): Uint8Array | undefined;
  uncommitted(): Promise<readonly UncommittedBlock[]>;
  safetyRecord(): Uint8Array | undefined;
  /** Rebuilds the state tree and compares its root with the head's. Code: `state-root-mismatch`. */
  loadMachine(): Promise<LedgerMachine>;
}
