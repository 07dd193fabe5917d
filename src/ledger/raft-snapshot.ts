/**
 * The ledger of a Raft cluster in chunks, as a snapshot carries it from BASE on: first what it stands at, then its state
 * in the order of the keys, without the values of the older system, which the snapshot holds in their own form.
 *
 * Nothing of it is believed before the end: the state of both must have the root that the head's header names.
 */
import { assert } from '../base/assert.ts';
import { compareBytes, utf8 } from '../base/bytes.ts';
import { bytes, codec, hash, list, struct, text, uint, union } from '../base/codec.ts';
import type { Hash } from '../base/hash.ts';
import { ok, refuse, type Refused, type Result } from '../base/result.ts';
import { decodeSealedBlock, MAX_BLOCK_BYTES, MAX_SEAL_BYTES, type SealedBlock } from './block.ts';
import { checkSchemaKnown, schemaActivationCodec } from './event-schema-at.ts';
import { legacyKeyOf } from './legacy-state.ts';
import type { LogPosition } from './log-hash.ts';
import { parameterScheduleCodec } from './parameters.ts';
import { checkRaftHeader, decodeRaftSeal } from './raft-seal.ts';
import { StateTree, type TreeVersion } from './state-tree.ts';
import { legacyKey, PARAMETERS_KEY, SCHEMA_KEY, type StateChange } from './state.ts';

/** What the state stands at. */
export interface SnapshotHead {
  readonly chainId: string;
  /** The entry that all began with. */
  readonly base: LogPosition;
  /** The last block, encoded with its seal. */
  readonly sealed: Uint8Array;
  /** Of the control records behind it. */
  readonly controls: Hash;
}

interface StateEntry {
  readonly key: string;
  readonly value: Uint8Array;
}

export type LedgerChunk =
  | ({ readonly kind: 'head' } & SnapshotHead)
  /** Entries of the state, their keys rising by their UTF-8 from chunk to chunk. */
  | { readonly kind: 'state'; readonly entries: readonly StateEntry[] };

/** A chunk of the state is closed once it holds so much: one value may go beyond. */
export const CHUNK_BYTES = 64 * 1024;
const MAX_KEY_LENGTH = 256;
const MAX_CHUNK_ENTRIES = CHUNK_BYTES;

export const ledgerChunkCodec = codec<LedgerChunk>(
  union<LedgerChunk>({
    head: struct<SnapshotHead>({
      chainId: text(64),
      base: struct<LogPosition>({ index: uint(), term: uint() }),
      sealed: bytes(MAX_BLOCK_BYTES + MAX_SEAL_BYTES),
      controls: hash,
    }),
    state: struct<{ entries: readonly StateEntry[] }>({
      entries: list(
        struct<StateEntry>({ key: text(MAX_KEY_LENGTH), value: bytes(MAX_BLOCK_BYTES) }),
        MAX_CHUNK_ENTRIES,
      ),
    }),
  }),
  MAX_BLOCK_BYTES + MAX_SEAL_BYTES + 1024,
);

/** What a snapshot held, once all of it was seen and fits. */
export interface RestoredLedger {
  readonly head: SnapshotHead;
  readonly sealed: SealedBlock;
  readonly tree: StateTree;
  readonly version: TreeVersion;
}

/** Takes the parts of a snapshot in their order, and judges them. */
export class LedgerRestoration {
  readonly #chainId: string;
  readonly #tree = new StateTree();
  #version: TreeVersion = this.#tree.empty;
  #head: { readonly head: SnapshotHead; readonly sealed: SealedBlock } | null = null;
  /** The values that say which event schema the state is of. */
  readonly #governing = new Map<string, Uint8Array>();
  /** Of the last entry, as UTF-8: of the ledger's own, and of the older system's. */
  #lastKey: Uint8Array | null = null;
  #lastLegacyKey: Uint8Array | null = null;

  constructor(chainId: string) {
    this.#chainId = chainId;
  }

  /**
   * Refusals: those of the codec, `snapshot-of-another-chain`, `snapshot-disordered`, those of `decodeSealedBlock` and of
   * `decodeRaftSeal`, `seal-kind-unknown`, `raft-seal-mismatch`.
   */
  takeChunk(chunkBytes: Uint8Array): Result<void> {
    const chunk = ledgerChunkCodec.decode(chunkBytes);
    if (!chunk.ok) return chunk;
    if (chunk.value.kind === 'head') return this.#takeHead(chunk.value);
    if (this.#head === null) return disordered('the state comes before what it stands at');
    const { entries } = chunk.value;
    for (const { key, value } of entries) {
      const governs = this.#takeGoverning(key, value);
      if (!governs.ok) return governs;
      const order = utf8(key);
      if (legacyKeyOf(key) !== undefined) return disordered('a value of the older system is among the ledger');
      if (this.#lastKey !== null && compareBytes(this.#lastKey, order) >= 0) return disordered('the keys do not rise');
      this.#lastKey = order;
    }
    return this.#enter(entries);
  }

  /** Values of the older system. Refusal: `snapshot-disordered`. */
  takeValues(values: readonly { readonly key: string; readonly value: Uint8Array }[]): Result<void> {
    for (const { key } of values) {
      const order = utf8(key);
      if (this.#lastLegacyKey !== null && compareBytes(this.#lastLegacyKey, order) >= 0) {
        return disordered('the keys of the older system do not rise');
      }
      this.#lastLegacyKey = order;
    }
    return this.#enter(values.map(({ key, value }) => ({ key: legacyKey(key), value })));
  }

  /** Refusals: `snapshot-disordered` without a head, `state-root-mismatch`, `schema-not-known`. */
  end(): Result<RestoredLedger> {
    if (this.#head === null) return disordered('it does not say what it stands at');
    const { header } = this.#head.sealed.block;
    if (this.#version.root !== header.stateRoot) {
      return refuse('state-root-mismatch', 'the state of the snapshot is not the one that its head names', {
        height: header.height,
        named: header.stateRoot,
        computed: this.#version.root,
      });
    }
    if (!this.#governing.has(PARAMETERS_KEY)) return disordered('it has no parameters of the chain');
    const known = checkSchemaKnown({ get: (key) => this.#governing.get(key) }, header.height);
    return known.ok ? ok({ ...this.#head, tree: this.#tree, version: this.#version }) : known;
  }

  #takeGoverning(key: string, value: Uint8Array | undefined): Result<unknown> {
    if (value === undefined || (key !== PARAMETERS_KEY && key !== SCHEMA_KEY)) return ok(undefined);
    this.#governing.set(key, value.slice());
    return key === PARAMETERS_KEY ? parameterScheduleCodec.decode(value) : schemaActivationCodec.decode(value);
  }

  #takeHead(head: SnapshotHead): Result<void> {
    if (this.#head !== null) return disordered('it stands at two heads');
    if (head.chainId !== this.#chainId) {
      return refuse('snapshot-of-another-chain', 'the snapshot is of another chain than this node', {
        chainId: head.chainId,
        own: this.#chainId,
      });
    }
    const sealed = decodeSealedBlock(this.#chainId, head.sealed);
    if (!sealed.ok) return sealed;
    const { block, seal } = sealed.value;
    if (seal.kind !== 'raft') return refuse('seal-kind-unknown', 'the seal is of another engine', { kind: seal.kind });
    const decoded = decodeRaftSeal(seal.bytes);
    const fits = decoded.ok ? checkRaftHeader(block.header, decoded.value) : decoded;
    if (!fits.ok) return fits;
    this.#head = { head, sealed: sealed.value };
    return ok(undefined);
  }

  #enter(entries: readonly StateChange[]): Result<void> {
    if (entries.length === 0) return ok(undefined);
    const version = this.#tree.update(this.#version, entries);
    this.#tree.retire(this.#version);
    this.#version = version;
    return ok(undefined);
  }
}

/** Of a snapshot that was judged. @throws AssertionError when it does not decode */
export function stateInChunk(chunkBytes: Uint8Array): readonly StateChange[] {
  const chunk = ledgerChunkCodec.decodeOwn(chunkBytes);
  return chunk.kind === 'state' ? chunk.entries : [];
}

/** What the state holds besides the older system's values, as chunks that are closed once they are full. */
export class ChunkWriter {
  #entries: StateEntry[] = [];
  #bytes = 0;

  /** @returns a chunk that is full now */
  add(key: string, value: Uint8Array): Uint8Array | undefined {
    assert(legacyKeyOf(key) === undefined, 'values of the older system are written as themselves', { key });
    this.#entries.push({ key, value });
    this.#bytes += key.length + value.length;
    return this.#bytes < CHUNK_BYTES ? undefined : this.end();
  }

  /** The last chunk, if there is anything in it. */
  end(): Uint8Array | undefined {
    const entries = this.#entries;
    this.#entries = [];
    this.#bytes = 0;
    return entries.length === 0 ? undefined : ledgerChunkCodec.encode({ kind: 'state', entries });
  }
}

function disordered(reason: string): Refused {
  return refuse('snapshot-disordered', 'the parts of the snapshot are not in their order', { reason });
}
