/** Two ordered sets of entries side by side, up to the first that differs. */
import { compareBytes, equalBytes, textFromUtf8, toHex } from '../../base/bytes.ts';
import { STATE_RANGE } from '../../ledger/layout.ts';
import type { Projection } from '../../projections/projection.ts';
import { readPointer, Rows } from '../../projections/rows.ts';
import type { Store } from '../../store/store.ts';
import type { PlaceDescription } from './place.ts';
import { readOnly, type PinnedLedger } from './source.ts';

export interface Compared {
  /** Entries that were looked at, of those that the log gives. */
  readonly entries: number;
  readonly firstDifference: Difference | null;
}

export interface Difference {
  /** Text of a key of the state; hex digits of a row of a projection. */
  readonly key: string;
  /** What the log gives, null: nothing. */
  readonly replayed: ShownValue | null;
  /** What is kept. */
  readonly kept: ShownValue | null;
}

export interface ShownValue {
  readonly bytes: number;
  /** Of the first 4 KiB: all of a record. */
  readonly hex: string;
}

export interface ComparedProjection extends Compared {
  readonly name: string;
  /**
   * Why there was nothing to compare with: the rows are of another version, stand where the replay has not been, or are
   * others than those that begin with the snapshot, as they may tell of what was before it.
   */
  readonly outcome: 'equal' | 'different' | 'absent' | 'other-version' | 'behind' | 'older';
}

type Entries = AsyncIterable<readonly [key: Uint8Array, value: Uint8Array]>;

const MAX_SHOWN_BYTES = 4096;

/** The state that the log gives against the one that is kept. */
export async function compareState(rebuilt: Pick<Store, 'entries'>, kept: PinnedLedger): Promise<Compared> {
  const key = (bytes: Uint8Array): string => textFromUtf8(bytes.subarray(1));
  return compared(rebuilt.entries(STATE_RANGE), kept.entries(STATE_RANGE), key);
}

/** The height that the kept rows of a projection stand at; -1: there are none that can be compared. */
export function keptHeight({ name, version }: Projection, kept: PinnedLedger): number {
  const pointer = readPointer(readOnly(kept), name);
  return pointer?.version === version ? new Rows(readOnly(kept), name, pointer.generation).cursor() : -1;
}

/** Whether a replay that begins so makes the rows that grew with the log, and not only what it knows of them. */
export function isRebuilt({ isOfStateAlone }: Projection, { kind }: PlaceDescription['from']): boolean {
  return kind !== 'snapshot' || isOfStateAlone === true;
}

/** @param rebuilt at some height, where the kept rows are to stand too, by a replay that began with `from` */
export async function compareProjection(
  projection: Projection,
  rebuilt: Rows,
  kept: PinnedLedger,
  from: PlaceDescription['from'],
): Promise<ComparedProjection> {
  const { name, version } = projection;
  const nothing = { name, entries: 0, firstDifference: null };
  const pointer = readPointer(readOnly(kept), name);
  if (pointer === undefined) return { ...nothing, outcome: 'absent' };
  if (pointer.version !== version) return { ...nothing, outcome: 'other-version' };
  const rows = new Rows(readOnly(kept), name, pointer.generation);
  if (rows.cursor() !== rebuilt.cursor()) return { ...nothing, outcome: 'behind' };
  const result = await compared(rebuilt.entries({}), rows.entries({}), toHex);
  if (result.firstDifference === null) return { name, ...result, outcome: 'equal' };
  if (!isRebuilt(projection, from)) return { ...nothing, outcome: 'older' };
  return { name, ...result, outcome: 'different' };
}

async function compared(replayed: Entries, kept: Entries, keyText: (key: Uint8Array) => string): Promise<Compared> {
  const others = kept[Symbol.asyncIterator]();
  let entries = 0;
  try {
    for await (const [key, value] of replayed) {
      entries++;
      const other = await others.next();
      const [otherKey, otherValue] = other.done === true ? [undefined, undefined] : other.value;
      if (otherKey !== undefined && equalBytes(otherKey, key) && equalBytes(otherValue, value)) continue;
      const order = otherKey === undefined ? -1 : compareBytes(key, otherKey);
      const firstDifference = {
        key: keyText(order <= 0 ? key : (otherKey as Uint8Array)),
        replayed: order <= 0 ? shown(value) : null,
        kept: order >= 0 && otherValue !== undefined ? shown(otherValue) : null,
      };
      return { entries, firstDifference };
    }
    const more = await others.next();
    if (more.done === true) return { entries, firstDifference: null };
    const [key, value] = more.value;
    return { entries, firstDifference: { key: keyText(key), replayed: null, kept: shown(value) } };
  } finally {
    await others.return?.();
  }
}

function shown(value: Uint8Array): ShownValue {
  return { bytes: value.length, hex: toHex(value.subarray(0, MAX_SHOWN_BYTES)) };
}
