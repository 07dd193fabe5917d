/**
 * Making a snapshot out of a view of the store: entries come in the order of their keys, go through buckets into that of
 * their hashes, and out into chunk files; the tree over them must have the root in the block's header. The proofs beside
 * each chunk need all the others, so they are written behind the chunks at the end.
 *
 * It works synchronously as far as it can, and so in a thread of its own.
 */
import { closeSync, fdatasyncSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { assert } from '../../base/assert.ts';
import { sha256Into } from '../../base/hash.ts';
import { codedError, unwrap } from '../../base/result.ts';
import { decodeSealedHeader } from '../../ledger/block.ts';
import { STATE_RANGE } from '../../ledger/layout.ts';
import {
  chunkIndexOf,
  depthFor,
  encodeChunkContent,
  encodeChunkProof,
  entryBytes,
  finestIndexOf,
  MAX_SNAPSHOT_DEPTH,
  MAX_SNAPSHOT_KEY_BYTES,
  MAX_SNAPSHOT_VALUE_BYTES,
  type ChunkEntry,
} from '../../ledger/snapshot-chunk.ts';
import { checkSealKind, snapshotManifestCodec, SNAPSHOT_VERSION } from '../../ledger/snapshot-manifest.ts';
import { SubtreeHasher } from '../../ledger/snapshot-subtree.ts';
import { SnapshotTree, type Subtree } from '../../ledger/snapshot-tree.ts';
import type { StoreView } from '../../store/store.ts';
import { Buckets, type HashedEntry } from './buckets.ts';
import { diskError } from './disk-error.ts';
import type { Pace } from './pace.ts';
import { chunkFile, MANIFEST_FILE } from './snapshot-folder.ts';

export interface SnapshotWriting {
  readonly chainId: string;
  /** Of the state; the values in `before` count where it has others. */
  readonly view: Pick<StoreView, 'entries'>;
  /** Keys, as latin-1 of their UTF-8, of what later blocks changed in the view, with what they had at the height. */
  readonly before: ReadonlyMap<string, Uint8Array | undefined>;
  /** The block at the height, with its seal, as it lies on the disk. */
  readonly sealed: Uint8Array;
  /** Exists and is empty. */
  readonly directory: string;
  readonly pace: Pace;
  readonly onProgress: (progress: WritingProgress) => void;
  /** @throws CodedError when the work is to end */
  readonly checkStopped: () => void;
}

export interface WritingProgress {
  readonly phase: 'reading' | 'writing';
  /** Of the state, in this phase. */
  readonly entries: number;
  /** Null while it is not known. */
  readonly totalEntries: number | null;
}

export interface WrittenSnapshot {
  readonly height: number;
  readonly stateRoot: string;
  readonly depth: number;
  readonly entries: number;
  /** Of all chunks. */
  readonly bytes: number;
}

const ENTRIES_PER_REPORT = 10_000;
/** Less than a millisecond of work. */
const ENTRIES_PER_REST = 100;

/**
 * @throws CodedError `snapshot-crash-only`, `snapshot-of-genesis`, `snapshot-state-uneven`, `state-root-mismatch`,
 *   `snapshot-no-space`, `snapshot-write-failed`, of the view, and what `checkStopped` throws
 */
export async function writeSnapshot(writing: SnapshotWriting): Promise<WrittenSnapshot> {
  const { header, seal } = unwrap(decodeSealedHeader(writing.chainId, writing.sealed));
  const { height, stateRoot } = header;
  const refused = checkSealKind(seal.kind, height);
  if (refused !== null) unwrap(refused);
  const buckets = new Buckets(join(writing.directory, 'buckets'));
  try {
    const gathered = await gather(writing, buckets);
    const depth = unwrap(depthFor(gathered.bytesOf));
    const chunks = new ChunkFiles(writing, depth, gathered.entries);
    for (const entry of buckets.sorted()) chunks.add(entry.keyHash, entry);
    const root = chunks.finish();
    if (root !== stateRoot) {
      throw codedError('state-root-mismatch', 'the state in the store is not that of its block; replay rebuilds it', {
        height,
        named: stateRoot,
        computed: root,
      });
    }
    const { entries } = gathered;
    const { bytes } = chunks;
    const { chainId, directory, sealed } = writing;
    const manifest = { version: SNAPSHOT_VERSION, chainId, height, sealed, epochProofs: [], depth, entries, bytes };
    writeFile(join(directory, MANIFEST_FILE), snapshotManifestCodec.encode(manifest), 'wx', null);
    return { height, stateRoot, depth, entries, bytes };
  } catch (error) {
    throw diskError(error);
  } finally {
    buckets.close();
  }
}

interface Gathered {
  readonly entries: number;
  /** Of entries, by the finest index. */
  readonly bytesOf: Float64Array;
}

async function gather(writing: SnapshotWriting, buckets: Buckets): Promise<Gathered> {
  const { before, pace, view } = writing;
  const bytesOf = new Float64Array(2 ** MAX_SNAPSHOT_DEPTH);
  const keyHash = new Uint8Array(32);
  let entries = 0;
  const add = (key: Uint8Array, value: Uint8Array): void => {
    assert(
      key.length <= MAX_SNAPSHOT_KEY_BYTES && value.length <= MAX_SNAPSHOT_VALUE_BYTES,
      'an entry has its bounds',
      {
        keyBytes: key.length,
        valueBytes: value.length,
      },
    );
    sha256Into(key, keyHash, 0);
    const finest = finestIndexOf(keyHash);
    bytesOf[finest] = (bytesOf[finest] as number) + entryBytes(key.length, value.length);
    buckets.add({ key, keyHash, value });
    entries++;
    if (entries % ENTRIES_PER_REST === 0) pace.rest();
    if (entries % ENTRIES_PER_REPORT === 0) report(writing, 'reading', entries, null);
  };
  for await (const [storeKey, value] of view.entries(STATE_RANGE)) {
    const key = storeKey.subarray(1);
    if (before.size > 0 && before.has(latin1(key))) continue;
    add(key, value);
  }
  for (const [key, value] of before) if (value !== undefined) add(new Uint8Array(Buffer.from(key, 'latin1')), value);
  report(writing, 'reading', entries, entries);
  return { entries, bytesOf };
}

function report(
  writing: SnapshotWriting,
  phase: WritingProgress['phase'],
  entries: number,
  total: number | null,
): void {
  writing.checkStopped();
  writing.onProgress({ phase, entries, totalEntries: total });
}

export function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
}

/** Takes the entries in the order of their hashes. */
class ChunkFiles {
  readonly #writing: SnapshotWriting;
  readonly #depth: number;
  readonly #totalEntries: number;
  readonly #hasher = new SubtreeHasher();
  readonly #subtrees: Subtree[] = [];
  #entries: HashedEntry[] = [];
  #written = 0;
  bytes = 0;

  constructor(writing: SnapshotWriting, depth: number, totalEntries: number) {
    this.#writing = writing;
    this.#depth = depth;
    this.#totalEntries = totalEntries;
  }

  add(keyHash: Uint8Array, { key, value }: ChunkEntry): void {
    const index = chunkIndexOf(keyHash, this.#depth);
    while (this.#subtrees.length < index) this.#end();
    this.#entries.push({ keyHash, key, value });
    if (this.#entries.length % ENTRIES_PER_REST === 0) this.#writing.pace.rest();
  }

  /** @returns the state root */
  finish(): string {
    const { directory, pace } = this.#writing;
    while (this.#subtrees.length < 2 ** this.#depth) this.#end();
    const tree = new SnapshotTree(this.#depth, this.#subtrees);
    for (let index = 0; index < this.#subtrees.length; index++) {
      this.#writing.checkStopped();
      const proof = encodeChunkProof(tree.proofOf(index));
      this.bytes += proof.length;
      writeFile(join(directory, chunkFile(index)), proof, 'a', null);
      pace.rest();
    }
    return tree.root;
  }

  /** The chunk that the last entries belong to has all of its own. */
  #end(): void {
    const { directory, pace } = this.#writing;
    const entries = this.#entries;
    this.#entries = [];
    const index = this.#subtrees.length;
    this.#hasher.begin(entries.length);
    for (const [at, { keyHash, value }] of entries.entries()) {
      this.#hasher.addHashed(keyHash, value);
      if (at % ENTRIES_PER_REST === 0) pace.rest();
    }
    const [first] = entries;
    const leaf = entries.length === 1 && first !== undefined ? leafOf(first.keyHash, first.value) : null;
    this.#subtrees.push({ hash: this.#hasher.root(this.#depth), leaf });
    pace.rest();
    const content = encodeChunkContent({ index, entries });
    this.bytes += content.length;
    writeFile(join(directory, chunkFile(index)), content, 'wx', pace);
    this.#written += entries.length;
    report(this.#writing, 'writing', this.#written, this.#totalEntries);
  }
}

function leafOf(keyHash: Uint8Array, value: Uint8Array): Subtree['leaf'] {
  const valueHash = new Uint8Array(32);
  sha256Into(value, valueHash, 0);
  return { keyHash: keyHash.slice(), valueHash };
}

/**
 * @param flag `wx` for a file that is not there yet, `a` for what goes behind what is in it, all of which is synced then
 * @param pace of a content: more follows, and it need not be on the disk yet; null: it must
 */
function writeFile(path: string, bytes: Uint8Array, flag: 'a' | 'wx', pace: Pace | null): void {
  const pieceBytes = pace?.pieceBytes ?? bytes.length;
  const file = openSync(path, flag, 0o600);
  try {
    for (let at = 0; at < bytes.length;) {
      at += writeSync(file, bytes, at, Math.min(pieceBytes, bytes.length - at));
      if (pace !== null && pace.pieceBytes === null) continue;
      fdatasyncSync(file);
      pace?.rest();
    }
  } finally {
    closeSync(file);
  }
}
