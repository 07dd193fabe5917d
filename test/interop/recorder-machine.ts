/**
 * The state machine of the Go recorder (`recFSM`), byte for byte: a hash chain over index and data of every command, the
 * count, and the newest commands verbatim. Its snapshots are read and written by either program.
 *
 *     hash 32 | count 8 | last 8 | n 8, then n times: index 8 | term 8 | length 4 | data      all big endian
 */
import { concatBytes, toHex, utf8 } from '../../src/base/bytes.ts';
import { sha256Into } from '../../src/base/hash.ts';
import { codedError } from '../../src/base/result.ts';
import { bigEndian, fromBigEndian } from '../../src/ledger/layout.ts';
import type { Application, StateMachine } from '../../src/node/raft/state-machine.ts';
import { ENTRY_TYPES, type Entry } from '../../src/raft/messages.ts';
import type { Store, StoreOperation } from '../../src/store/store.ts';

const KEY = utf8('Xrecorder');
const HEAD_BYTES = 56;
const PIECE_BYTES = 64 * 1024;
const EMPTY = new Uint8Array(0);

export interface Recorded {
  readonly index: number;
  readonly term: number;
  readonly data: Uint8Array;
}

export class RecorderMachine implements StateMachine<number> {
  readonly #keep: number;
  #hash: Uint8Array = new Uint8Array(32);
  #count = 0;
  #last = 0;
  #entries: Recorded[] = [];
  #restores = 0;
  #scratch = new Uint8Array(4096);

  /** @param keep commands kept verbatim */
  constructor(store: Pick<Store, 'get'>, keep: number) {
    this.#keep = keep;
    const written = store.get(KEY);
    if (written !== undefined) this.#read(written);
  }

  get count(): number {
    return this.#count;
  }

  get last(): number {
    return this.#last;
  }

  get hash(): string {
    return toHex(this.#hash);
  }

  get restores(): number {
    return this.#restores;
  }

  get kept(): number {
    return this.#entries.length;
  }

  tail(most: number): readonly Recorded[] {
    return most > 0 ? this.#entries.slice(-most) : [];
  }

  /** Commands that were applied before this process began: the store keeps no second copy of them. */
  remember(entries: Iterable<Entry>): void {
    for (const entry of entries) if (entry.type === ENTRY_TYPES.command) this.#remember(entry);
  }

  apply(entries: readonly Entry[]): Application<number> {
    const outcomes: number[] = [];
    let isChanged = false;
    for (const entry of entries) {
      if (entry.type === ENTRY_TYPES.command) {
        this.#record(entry);
        isChanged = true;
      }
      outcomes.push(this.#count);
    }
    return { operations: isChanged ? [this.#state()] : [], outcomes };
  }

  async snapshot(): Promise<AsyncIterable<Uint8Array>> {
    const entries = this.#entries.slice(-this.#keep);
    const head = concatBytes(this.#hash, bigEndian(this.#count), bigEndian(this.#last), bigEndian(entries.length));
    return snapshotPieces(head, this.#keep === 0 ? [] : entries);
  }

  async *restore(snapshot: AsyncIterable<Uint8Array>): AsyncIterable<readonly StoreOperation[]> {
    const pieces: Uint8Array[] = [];
    for await (const piece of snapshot) pieces.push(piece);
    const bytes = concatBytes(...pieces);
    const entries = parse(bytes);
    this.#read(bytes.subarray(0, 48));
    this.#entries = entries;
    this.#restores++;
    yield [this.#state()];
  }

  #record(entry: Entry): void {
    const data = entry.data ?? EMPTY;
    const length = 40 + data.length;
    if (length > this.#scratch.length) this.#scratch = new Uint8Array(length * 2);
    const message = this.#scratch;
    message.set(this.#hash);
    message.set(bigEndian(entry.index), 32);
    message.set(data, 40);
    sha256Into(message.subarray(0, length), this.#hash, 0);
    this.#count++;
    this.#last = entry.index;
    this.#remember(entry);
  }

  #remember({ data, index, term }: Entry): void {
    if (this.#keep === 0) return;
    this.#entries.push({ index, term, data: (data ?? EMPTY).slice() });
    if (this.#entries.length > 2 * this.#keep) this.#entries = this.#entries.slice(-this.#keep);
  }

  #state(): StoreOperation {
    return { kind: 'put', key: KEY, value: concatBytes(this.#hash, bigEndian(this.#count), bigEndian(this.#last)) };
  }

  #read(state: Uint8Array): void {
    this.#hash = state.slice(0, 32);
    this.#count = fromBigEndian(state.subarray(32));
    this.#last = fromBigEndian(state.subarray(40));
  }
}

async function* snapshotPieces(head: Uint8Array, entries: readonly Recorded[]): AsyncIterable<Uint8Array> {
  let parts: Uint8Array[] = [head];
  let bytes = head.length;
  for (const { data, index, term } of entries) {
    const length = new Uint8Array(4);
    new DataView(length.buffer).setUint32(0, data.length);
    parts.push(bigEndian(index), bigEndian(term), length, data);
    bytes += 20 + data.length;
    if (bytes < PIECE_BYTES) continue;
    yield concatBytes(...parts);
    parts = [];
    bytes = 0;
  }
  yield concatBytes(...parts);
}

export function parse(bytes: Uint8Array): Recorded[] {
  const malformed = () => codedError('snapshot-malformed', 'the bytes are no snapshot of the recorder');
  if (bytes.length < HEAD_BYTES) throw malformed();
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const entries: Recorded[] = [];
  let at = HEAD_BYTES;
  for (let left = fromBigEndian(bytes.subarray(48)); left > 0; left--) {
    if (at + 20 > bytes.length) throw malformed();
    const index = fromBigEndian(bytes.subarray(at));
    const term = fromBigEndian(bytes.subarray(at + 8));
    const end = at + 20 + view.getUint32(at + 16);
    if (end > bytes.length) throw malformed();
    entries.push({ index, term, data: bytes.slice(at + 20, end) });
    at = end;
  }
  if (at !== bytes.length) throw malformed();
  return entries;
}
