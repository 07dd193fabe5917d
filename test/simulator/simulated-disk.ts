/**
 * A disk with LevelDB's promises and no others: batches are atomic and applied in order; one that was synced, and all
 * before it, survive a power cut; of those written since, any number of the last ones may be gone; one that was being
 * written is there whole or not at all. What was written survives the end of the process alone. A bit may flip on it, with
 * what `test/store/flips.test.ts` finds of a real LevelDB under the production store.
 */
import { assert } from '../../src/base/assert.ts';
import { codedError } from '../../src/base/result.ts';
import type { KeyRange, Store, StoreOperation } from '../../src/store/store.ts';
import { flipped } from '../flipped.ts';
import { latin1 } from './latin1.ts';
import type { Owner, Scheduler } from './scheduler.ts';

/**
 * Where a bit flips. `log`: the store cannot be opened any more. In a table: what is under a key is another `value`; the
 * `key` is another one; its `block` cannot be read; or it has what it held before (`older`).
 */
export type FlipIn = 'log' | 'value' | 'key' | 'block' | 'older';

export interface Flip {
  readonly in: FlipIn;
  /** The first letter of the keys, see `ledger/layout.ts`; of no meaning in the log. */
  readonly table: string;
  /** Any whole number: which key, and which bit of it or of its value. */
  readonly place: number;
}

/** `stalled`: what is written is not done before it is mended. */
export type DiskMode = 'ok' | 'slow' | 'full' | 'stalled';

/** What the disk does next, decided by the simulation. */
export interface DiskFaults {
  mode: DiskMode;
  /** How long this write takes, milliseconds. */
  writeMs(sync: boolean): number;
  /** Something was written, is about to be, or failed: a place where the process may be stopped. */
  onEffect(what: 'before-write' | 'after-write' | 'disk-full'): void;
}

type Table = Map<string, Uint8Array>;
/** A batch that a power cut may still take back. */
interface Unsynced {
  readonly operations: readonly StoreOperation[];
  readonly undo: readonly { readonly key: string; readonly before: Uint8Array | undefined }[];
}

/** What is on the platters and in the page cache; it outlives processes. */
export class SimulatedDisk {
  /** By the first byte of the key. */
  readonly tables = new Map<number, Table>();
  /** The mark of a key that has signed nothing. */
  neverSigned = true;
  /** A bit flipped since the disk was new, and whether what a key held before may have come back by that. */
  damage: 'none' | 'flipped' | 'forgetful' = 'none';
  /** Is told of each batch when it can no longer be lost, in their order. */
  onDurable: ((operations: readonly StoreOperation[]) => void) | null = null;
  /** What was written and not synced, oldest first. */
  #unsynced: Unsynced[] = [];
  /** What each key was before any of that. */
  readonly #before = new Map<string, Uint8Array | undefined>();
  #logIsDamaged = false;
  readonly #unreadable = new Set<string>();
  /** What the few keys that are written again and again held before. */
  readonly #older = new Map<string, Uint8Array>();

  get unsyncedBatches(): number {
    return this.#unsynced.length;
  }

  get(key: Uint8Array): Uint8Array | undefined {
    const text = latin1(key);
    if (this.#unreadable.has(text)) throw unreadable();
    return this.tables.get(key[0] ?? -1)?.get(text);
  }

  /** As `LevelStore.open` looks at the log. @throws CodedError `store-corrupt` */
  checkLog(): void {
    if (this.#logIsDamaged) throw codedError('store-corrupt', 'the log of the simulated store is damaged');
  }

  /** @returns what was hit, for a reader; null: nothing is there */
  flip({ in: where, place, table }: Flip): string | null {
    if (where === 'log') {
      this.#logIsDamaged = true;
      this.damage = this.damage === 'none' ? 'flipped' : this.damage;
      return 'the log';
    }
    const values = this.#tableOf(table.charCodeAt(0));
    const keys = where === 'older' ? [...this.#older.keys()] : [...values.keys()];
    const key = keys.sort()[place % keys.length];
    if (key === undefined) return null;
    this.damage = where === 'older' || this.damage === 'forgetful' ? 'forgetful' : 'flipped';
    this.#flipAt(where, values, key, Math.floor(place / keys.length));
    return `${where} of ${JSON.stringify(key)}`;
  }

  #flipAt(where: Exclude<FlipIn, 'log'>, values: Table, key: string, bit: number): void {
    if (where === 'block') this.#unreadable.add(key);
    if (where === 'older') this.#tableOf(key.charCodeAt(0)).set(key, this.#older.get(key) as Uint8Array);
    const value = values.get(key);
    if (value === undefined) return;
    if (where === 'value' && value.length > 0) values.set(key, flipped(value, bit % (8 * value.length)));
    if (where !== 'key') return;
    values.delete(key);
    // Not of the first letter: a key among those of another kind is found by whoever looks at all of these.
    const other = Buffer.from(flipped(Buffer.from(key, 'latin1'), 8 + (bit % (8 * (key.length - 1))))).toString(
      'latin1',
    );
    values.set(other, value);
  }

  /** What a power cut at this moment would leave of it. */
  durable(key: Uint8Array): Uint8Array | undefined {
    const text = latin1(key);
    return this.#before.has(text) ? this.#before.get(text) : this.tables.get(key[0] ?? -1)?.get(text);
  }

  apply(operations: readonly StoreOperation[], sync: boolean): void {
    const undo: { key: string; before: Uint8Array | undefined }[] = [];
    for (const operation of operations) {
      const key = latin1(operation.key);
      const table = this.#tableOf(operation.key[0] ?? -1);
      const before = table.get(key);
      if (!sync) {
        undo.push({ key, before });
        if (!this.#before.has(key)) this.#before.set(key, before);
      }
      if (before !== undefined && key.startsWith('M')) this.#older.set(key, before);
      this.#unreadable.delete(key);
      if (operation.kind === 'put') {
        assert(operation.value.length > 0, 'no value that is put is empty', { key });
        table.set(key, operation.value);
      } else table.delete(key);
    }
    if (!sync) this.#unsynced.push({ operations, undo });
    else {
      this.#allIsDurable();
      this.onDurable?.(operations);
    }
  }

  /** Power fails: the last `lost` of the batches that were not synced are gone. */
  powerCut(lost: number): void {
    for (const { undo } of this.#unsynced.splice(Math.max(0, this.#unsynced.length - lost)).reverse()) {
      for (const { key, before } of undo.toReversed()) {
        const table = this.#tableOf(key.charCodeAt(0));
        if (before === undefined) table.delete(key);
        else table.set(key, before);
      }
    }
    this.#allIsDurable();
  }

  /** The directory is lost, and the mark with it. */
  wipe(): void {
    this.tables.clear();
    this.#unsynced = [];
    this.#allIsDurable();
    this.#logIsDamaged = false;
    this.#unreadable.clear();
    this.#older.clear();
    this.damage = 'none';
    this.neverSigned = false;
  }

  *entries(range: KeyRange): Generator<readonly [Uint8Array, Uint8Array]> {
    // As text, which is in the order of its bytes: most keys are compared, and few are read.
    const isWithin = within(range);
    const found: (readonly [string, Uint8Array])[] = [];
    for (const [tag, table] of this.tables) {
      if (tag < (range.gte?.[0] ?? 0) || tag > (range.lt?.[0] ?? range.lte?.[0] ?? 255)) continue;
      for (const entry of table) {
        if (!isWithin(entry[0])) continue;
        if (this.#unreadable.has(entry[0])) throw unreadable();
        found.push(entry);
      }
    }
    found.sort(([a], [b]) => (a < b ? -1 : 1));
    if (range.reverse === true) found.reverse();
    const end = Math.min(found.length, range.limit ?? Infinity);
    for (let place = 0; place < end; place++) {
      const [text, value] = found[place]!;
      yield [new Uint8Array(Buffer.from(text, 'latin1')), value];
    }
  }

  #allIsDurable(): void {
    for (const { operations } of this.#unsynced.splice(0)) this.onDurable?.(operations);
    this.#before.clear();
  }

  #tableOf(tag: number): Table {
    let table = this.tables.get(tag);
    if (table === undefined) this.tables.set(tag, (table = new Map()));
    return table;
  }
}

interface Writing {
  readonly operations: readonly StoreOperation[];
  readonly sync: boolean;
}

/** How often a stalled disk is looked at. */
const STALL_LOOK_MS = 10;

/** The disk as one process has it open. */
export class SimulatedStore implements Store {
  readonly #disk: SimulatedDisk;
  readonly #scheduler: Scheduler;
  readonly #process: Owner;
  readonly #faults: DiskFaults;
  readonly #writing: Writing[] = [];
  /** What is written and only waits for a stalled disk to be mended, oldest first. */
  readonly #held: (() => void)[] = [];
  #freeAtMs = 0;

  constructor(disk: SimulatedDisk, scheduler: Scheduler, process: Owner, faults: DiskFaults) {
    this.#disk = disk;
    this.#scheduler = scheduler;
    this.#process = process;
    this.#faults = faults;
  }

  /** Batches under way, oldest first. */
  get writing(): readonly Writing[] {
    return this.#writing;
  }

  get(key: Uint8Array): Uint8Array | undefined {
    return this.#disk.get(key);
  }

  batch(operations: readonly StoreOperation[], { sync }: { readonly sync: boolean }): Promise<void> {
    const faults = this.#faults;
    faults.onEffect('before-write');
    if (this.#process.ended) return new Promise(() => undefined);
    if (faults.mode === 'full') {
      faults.onEffect('disk-full');
      return Promise.reject(codedError('store-disk-full', 'no space left on the simulated disk'));
    }
    const { nowMs } = this.#scheduler;
    this.#freeAtMs = Math.max(this.#freeAtMs, nowMs) + faults.writeMs(sync);
    const writing: Writing = { operations, sync };
    this.#writing.push(writing);
    return new Promise((resolve) => {
      const finish = () => {
        this.#writing.shift();
        this.#disk.apply(operations, sync);
        faults.onEffect('after-write');
        if (!this.#process.ended) resolve();
      };
      this.#scheduler.after(this.#freeAtMs - nowMs, this.#process, () => {
        if (faults.mode !== 'stalled' && this.#held.length === 0) return finish();
        this.#held.push(finish);
        if (this.#held.length === 1) this.#waitForMending();
      });
    });
  }

  #waitForMending(): void {
    this.#scheduler.after(STALL_LOOK_MS, this.#process, () => {
      if (this.#faults.mode === 'stalled') return this.#waitForMending();
      for (const finish of this.#held.splice(0)) if (!this.#process.ended) finish();
    });
  }

  async *entries(range: KeyRange): AsyncIterable<readonly [key: Uint8Array, value: Uint8Array]> {
    for (const entry of this.#disk.entries(range)) yield entry;
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

/** The disk, read and written at once: for checks, which take no time. */
export function instantStore(disk: SimulatedDisk): Store {
  return {
    get: (key) => disk.get(key),
    batch: async (operations, { sync }) => disk.apply(operations, sync),
    async *entries(range) {
      for (const entry of disk.entries(range)) yield entry;
    },
    close: () => Promise.resolve(),
  };
}

function unreadable(): Error {
  return codedError('store-corrupt', 'a block of the simulated store cannot be read');
}

function within(range: KeyRange): (key: string) => boolean {
  const [gt, gte, lt, lte] = [range.gt, range.gte, range.lt, range.lte].map((bound) => bound && latin1(bound));
  return (key) =>
    (gte === undefined || key >= gte) &&
    (gt === undefined || key > gt) &&
    (lt === undefined || key < lt) &&
    (lte === undefined || key <= lte);
}
