/**
 * What the simulated cluster drives: registers that are written by commands `key=value`, and a digest of every entry that
 * was applied, which says in one word whether two servers have applied the same.
 */
import { utf8 } from '../../../src/base/bytes.ts';
import { codedError } from '../../../src/base/result.ts';
import { STATE_RANGE, stateKey } from '../../../src/ledger/layout.ts';
import type { Application, StateMachine } from '../../../src/node/raft/state-machine.ts';
import { ENTRY_TYPES, type Entry } from '../../../src/raft/messages.ts';
import type { Store, StoreOperation } from '../../../src/store/store.ts';
import { contentOf } from './checkers/books.ts';

/** Of one command: what it wrote. Null for an entry that is no command. */
export type Written = { readonly key: string; readonly value: string } | null;

const DIGEST = 'digest';
/** Of a snapshot, so that one has several pieces. */
const PIECE_BYTES = 64;

export function commandOf(key: string, value: string): Uint8Array {
  return utf8(`${key}=${value}`);
}

/** Is told of everything that changes the state. */
export interface RegistersListener {
  applied(entry: Entry, digest: string): void;
  /** @param index of the last entry in it */
  restored(index: number, digest: string): void;
}

export class Registers implements StateMachine<Written> {
  readonly #listener: RegistersListener;
  readonly #values = new Map<string, string>();
  /** The index of the last entry that was applied, and a digest of all of them. */
  #digest = '0 nothing';

  private constructor(listener: RegistersListener) {
    this.#listener = listener;
  }

  /** As a store has them. */
  static async open(store: Store, listener: RegistersListener): Promise<Registers> {
    const registers = new Registers(listener);
    for await (const [key, value] of store.entries(STATE_RANGE)) {
      registers.#set(textOf(key.subarray(1)), textOf(value));
    }
    return registers;
  }

  get digest(): string {
    return this.#digest;
  }

  /** Of the last entry that was applied. */
  get index(): number {
    return Number.parseInt(this.#digest, 10);
  }

  /** Undefined where nothing was written. */
  get(key: string): string | undefined {
    return this.#values.get(key);
  }

  apply(entries: readonly Entry[]): Application<Written> {
    const operations: StoreOperation[] = [];
    const outcomes = entries.map((entry) => {
      this.#digest = `${entry.index} ${mixed(this.#digest, `${entry.term} ${contentOf(entry)}`)}`;
      this.#listener.applied(entry, this.#digest);
      const written = writtenBy(entry);
      if (written === null) return null;
      this.#values.set(written.key, written.value);
      operations.push(putOf(written.key, written.value));
      return written;
    });
    operations.push(putOf(DIGEST, this.#digest));
    return { operations, outcomes };
  }

  async snapshot(): Promise<AsyncIterable<Uint8Array>> {
    const lines = [...this.#values].map(([key, value]) => `${key}=${value}\n`);
    return piecesOf(utf8([`${DIGEST}=${this.#digest}\n`, ...lines].join('')));
  }

  async *restore(snapshot: AsyncIterable<Uint8Array>): AsyncIterable<readonly StoreOperation[]> {
    yield [DIGEST, ...this.#values.keys()].map((key) => ({ kind: 'delete', key: stateKey(key) }) as const);
    this.#values.clear();
    let rest = '';
    for await (const piece of snapshot) {
      const lines = (rest + textOf(piece)).split('\n');
      rest = lines.pop() ?? '';
      yield lines.map((line) => {
        const [key, value] = line.split('=');
        if (key === undefined || value === undefined) throw codedError('snapshot-malformed', 'a register is key=value');
        this.#set(key, value);
        return putOf(key, value);
      });
    }
    if (rest !== '') throw codedError('snapshot-malformed', 'the last register ends');
    this.#listener.restored(this.index, this.#digest);
  }

  #set(key: string, value: string): void {
    if (key === DIGEST) this.#digest = value;
    else this.#values.set(key, value);
  }
}

/** What an entry of a client writes. */
export function writtenBy({ data, type }: Entry): Written {
  if (type !== ENTRY_TYPES.command || data === null) return null;
  const [key = '', value = ''] = textOf(data).split('=');
  return { key, value };
}

function putOf(key: string, value: string): StoreOperation {
  return { kind: 'put', key: stateKey(key), value: utf8(value) };
}

async function* piecesOf(bytes: Uint8Array): AsyncIterable<Uint8Array> {
  for (let at = 0; at < bytes.length; at += PIECE_BYTES) yield bytes.subarray(at, at + PIECE_BYTES);
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString();
}

/** 64 bits of the one and the other (two lanes of FNV-1a). */
function mixed(digest: string, text: string): string {
  let [low, high] = [0x811c9dc5, 0x01000193];
  const whole = `${digest} ${text}`;
  for (let i = 0; i < whole.length; i++) {
    low = Math.imul(low ^ whole.charCodeAt(i), 0x01000193);
    high = Math.imul(high ^ low ^ (i + 1), 0x85ebca6b);
  }
  return (low >>> 0).toString(16).padStart(8, '0') + (high >>> 0).toString(16).padStart(8, '0');
}
