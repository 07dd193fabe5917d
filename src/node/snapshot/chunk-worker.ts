/**
 * A thread that checks chunks, and puts what is right where it is wanted: into a store that another thread has open, and
 * into a file of its own. One chunk is one batch, with a mark that it is there.
 */
import { closeSync, openSync, readFileSync, readSync, writeSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import { assert } from '../../base/assert.ts';
import type { Hash } from '../../base/hash.ts';
import { CodedError, refuse, type Refusal, type Result } from '../../base/result.ts';
import { restoredChunkKey, STATE_RANGE } from '../../ledger/layout.ts';
import { snapshotChunkCodec, verifyChunk, type SnapshotChunk } from '../../ledger/snapshot-chunk.ts';
import { LevelStore } from '../../store/level-store.ts';
import { PRESENT, type StoreOperation } from '../../store/store.ts';
import { onMessages } from '../worker-end.ts';
import type { Piece } from './snapshot-source.ts';

export interface ChunkWork {
  readonly stateRoot: Hash;
  readonly depth: number;
  /** The store that entries go into, or null. */
  readonly ledger: string | null;
}

export interface ChunkTask {
  readonly index: number;
  readonly piece: Piece;
  /** Where a copy goes, or null. It is not on the disk yet when the chunk is done. */
  readonly copyTo: string | null;
  /** The store has its mark. So it needs no more than its copy, and that only where it is not there as it should be. */
  readonly isMarked: boolean;
  /** Whether the bytes are wanted back. */
  readonly gives: boolean;
}

export type ChunkAnswer =
  | { readonly kind: 'done'; readonly index: number; readonly entries: number; readonly bytes: Uint8Array | null }
  | { readonly kind: 'refused'; readonly index: number; readonly refusal: Refusal }
  | { readonly kind: 'failed'; readonly index: number; readonly refusal: Refusal | null; readonly reason: string };

const port = parentPort;
assert(port !== null, 'the chunk worker runs in a worker thread');
const { depth, ledger, stateRoot } = workerData as ChunkWork;
const store = ledger === null ? null : await LevelStore.join(ledger);
const STATE_TAG = STATE_RANGE.gte;

onMessages(
  port,
  (task: ChunkTask) => void answer(task).then((given) => port.postMessage(given)),
  async () => store?.close(),
);
port.postMessage('ready');

async function answer(task: ChunkTask): Promise<ChunkAnswer> {
  const { copyTo, gives, index, isMarked, piece } = task;
  try {
    const bytes = readPiece(piece);
    const chunk = checked(bytes, index);
    if (!chunk.ok) return { kind: 'refused', index, refusal: chunk.refusal };
    const { entries } = chunk.value.content;
    if (copyTo !== null && !(isMarked && isCopy(copyTo, bytes))) writeCopy(copyTo, bytes);
    if (store !== null && !isMarked) await store.batch(operationsOf(chunk.value), { sync: false });
    return { kind: 'done', index, entries: entries.length, bytes: gives ? bytes : null };
  } catch (error) {
    const refusal = error instanceof CodedError ? { ...refusalOf(error) } : null;
    return {
      kind: 'failed',
      index,
      refusal,
      reason: error instanceof Error ? (error.stack ?? error.message) : String(error),
    };
  }
}

function checked(bytes: Uint8Array, index: number): Result<SnapshotChunk> {
  const chunk = snapshotChunkCodec.decode(bytes);
  if (!chunk.ok) return refuse(chunk.refusal.code, chunk.refusal.message, { ...chunk.refusal.details, chunk: index });
  const verified = verifyChunk(chunk.value, { stateRoot, depth, index });
  return verified.ok ? chunk : verified;
}

function operationsOf({ content: { entries, index } }: SnapshotChunk): StoreOperation[] {
  // One array for all keys: one for each costs more than to put its entry.
  const keys = new Uint8Array(entries.reduce((sum, { key }) => sum + STATE_TAG.length + key.length, 0));
  let end = 0;
  const operations = entries.map(({ key: ofState, value }): StoreOperation => {
    const from = end;
    end = from + STATE_TAG.length + ofState.length;
    keys.set(STATE_TAG, from);
    keys.set(ofState, from + STATE_TAG.length);
    return { kind: 'put', key: keys.subarray(from, end), value };
  });
  operations.push({ kind: 'put', key: restoredChunkKey(index), value: PRESENT });
  return operations;
}

function readPiece({ length, offset, path }: Piece): Uint8Array {
  const bytes = new Uint8Array(length);
  const file = openSync(path, 'r');
  try {
    for (let at = 0; at < length;) {
      const read = readSync(file, bytes, at, length - at, offset + at);
      // Shorter than a moment ago: what is missing is zeros, and does not decode.
      if (read === 0) break;
      at += read;
    }
  } finally {
    closeSync(file);
  }
  return bytes;
}

function isCopy(path: string, bytes: Uint8Array): boolean {
  try {
    return Buffer.compare(readFileSync(path), bytes) === 0;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
}

function writeCopy(path: string, bytes: Uint8Array): void {
  const file = openSync(path, 'w', 0o600);
  try {
    for (let at = 0; at < bytes.length;) at += writeSync(file, bytes, at);
  } finally {
    closeSync(file);
  }
}

function refusalOf({ code, details, message }: CodedError): Refusal {
  return { code, details, message };
}
