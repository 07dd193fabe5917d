/**
 * How a data directory came to its layout: which steps of `migrations/` are in it, and whether one is under way. Every
 * program that opens a directory looks here first, so that no directory is taken for a ledger that is half of one layout
 * and half of another, or that was changed by another step than the one this program knows.
 *
 *     M layout       decimal text: the greater of the two layouts while a step is under way, so that a program of the
 *                    lesser one, which knows nothing of steps, refuses it
 *     M migrations   the steps that are in this directory, in order, each with its checksum; absent: none, layout 1
 *     M migration    the step that is under way, and how far it is; absent: none
 *
 * Both records have the form that they have for ever: a program reads them before it knows the rest.
 */
import { textFromUtf8, utf8 } from '../base/bytes.ts';
import { bytes, codec, hash, list, nullable, oneOf, struct, text, uint } from '../base/codec.ts';
import type { Hash } from '../base/hash.ts';
import { ok, refuse, type Result } from '../base/result.ts';
import type { Store, StoreOperation } from '../store/store.ts';
import { contentOf, withCheck } from './checked-record.ts';
import { LAYOUT_KEY, LAYOUT_VERSION, MIGRATION_KEY, MIGRATIONS_KEY } from './layout.ts';

/** A step of `migrations/` as every directory that has it remembers it. */
export interface LayoutStep {
  /** The name of its file. */
  readonly id: string;
  readonly from: number;
  readonly to: number;
  /** SHA-256 of the text of its file. */
  readonly checksum: Hash;
}

/**
 * Every step there ever was, in order. A step that a released program has made is never edited again, and its row never
 * changes: `npm test` holds the checksums to the files.
 */
export const LAYOUT_STEPS: readonly LayoutStep[] = [
  {
    id: '0002-log-floor',
    from: 1,
    to: 2,
    checksum: 'c50c68ec412ac39e5d2bb6dbe513e4fbf6431fa6d84232c2b7cd5e559b18c16c' as Hash,
  },
  {
    id: '0003-checked-records',
    from: 2,
    to: 3,
    checksum: 'ebfec44611c8f44840d8dd080cbb62e1099eff6f5d6f74274487d82c26e6111e' as Hash,
  },
];

export type RecordedStep = Pick<LayoutStep, 'id' | 'checksum'>;

export interface UnderWay extends RecordedStep {
  readonly direction: 'up' | 'down';
  /** Where its walk goes on; null: at its beginning. */
  readonly cursor: Uint8Array | null;
  /** Records that it has looked at, of so many that there were. */
  readonly records: number;
  readonly total: number;
}

export interface LayoutState {
  readonly version: number;
  readonly steps: readonly RecordedStep[];
  readonly underWay: UnderWay | null;
}

const MAX_STEPS = 4096;
const MAX_CURSOR_BYTES = 4096;

const stepsCodec = codec(list(struct<RecordedStep>({ id: text(64), checksum: hash }), MAX_STEPS), 1 << 20);
const underWayCodec = codec(
  struct<UnderWay>({
    id: text(64),
    checksum: hash,
    direction: oneOf(['up', 'down']),
    cursor: nullable(bytes(MAX_CURSOR_BYTES)),
    records: uint(),
    total: uint(),
  }),
  2 * MAX_CURSOR_BYTES,
);

export function layoutOp(version: number): StoreOperation {
  return { kind: 'put', key: LAYOUT_KEY, value: utf8(String(version)) };
}

/** @param steps none: as a directory of layout 1 was always written, without a record */
export function stepsOp(steps: readonly RecordedStep[]): StoreOperation {
  if (steps.length === 0) return { kind: 'delete', key: MIGRATIONS_KEY };
  const recorded = steps.map(({ checksum, id }) => ({ id, checksum }));
  return { kind: 'put', key: MIGRATIONS_KEY, value: withCheck(stepsCodec.encode(recorded)) };
}

/** @param step null: none is under way any more */
export function underWayOp(step: UnderWay | null): StoreOperation {
  if (step === null) return { kind: 'delete', key: MIGRATION_KEY };
  return { kind: 'put', key: MIGRATION_KEY, value: withCheck(underWayCodec.encode(step)) };
}

/** Of a new directory, which has every step in it from the beginning. */
export function newLayoutOps(): StoreOperation[] {
  return [layoutOp(LAYOUT_VERSION), stepsOp(LAYOUT_STEPS)];
}

/** @returns null where there is no layout version. Refusal: `store-corrupt` */
export function readLayout(
  store: Pick<Store, 'get'>,
  known: readonly LayoutStep[] = LAYOUT_STEPS,
): Result<LayoutState | null> {
  const written = store.get(LAYOUT_KEY);
  if (written === undefined) return ok(null);
  const version = versionOf(written);
  if (version === null) return refuse('store-corrupt', 'the layout version is not a number');
  // What a newer program keeps there, this one need not be able to read.
  if (version > (known.at(-1)?.to ?? 1)) return ok({ version, steps: [], underWay: null });
  const steps = store.get(MIGRATIONS_KEY);
  const underWay = store.get(MIGRATION_KEY);
  const stepsContent = steps === undefined ? null : contentOf(steps);
  const underWayContent = underWay === undefined ? null : contentOf(underWay);
  const decodedSteps = stepsContent === null ? null : stepsCodec.decode(stepsContent);
  const decodedUnderWay = underWayContent === null ? null : underWayCodec.decode(underWayContent);
  if (steps !== undefined && decodedSteps?.ok !== true)
    return refuse('store-corrupt', 'the record of the migrations of this directory has changed since it was written');
  if (underWay !== undefined && decodedUnderWay?.ok !== true)
    return refuse('store-corrupt', 'the record of the migration under way has changed since it was written');
  return ok({
    version,
    steps: decodedSteps?.ok === true ? decodedSteps.value : [],
    underWay: decodedUnderWay?.ok === true ? decodedUnderWay.value : null,
  });
}

/**
 * Whether this program may open a directory of this layout as a ledger.
 *
 * Refusals: `layout-newer`, `migration-under-way`, those of `judgeSteps`, `layout-older`.
 */
export function judgeLayout({ steps, underWay, version }: LayoutState, known = LAYOUT_STEPS): Result<void> {
  const newest = known.at(-1)?.to ?? 1;
  const details = { version, known: newest };
  if (version > newest) {
    return refuse('layout-newer', 'a newer program wrote this data directory; nothing was changed', details);
  }
  if (underWay !== null) {
    const { direction, id, records, total } = underWay;
    const message = `the data directory is in the middle of a migration: "hotledger migrate ${direction}" goes on with it`;
    return refuse('migration-under-way', message, { step: id, direction, records, total });
  }
  const judged = judgeSteps({ steps, version }, known);
  if (!judged.ok) return judged;
  if (version < newest) {
    const message = 'this data directory has an older layout: "hotledger migrate up" brings it to the present one';
    return refuse('layout-older', message, details);
  }
  return ok(undefined);
}

/**
 * What the directory remembers of its steps is what this program knows of them.
 *
 * Refusals: those of `judgeStep`, `migration-unrecorded`, `store-corrupt`.
 */
export function judgeSteps(
  { steps, version }: Pick<LayoutState, 'steps' | 'version'>,
  known: readonly LayoutStep[] = LAYOUT_STEPS,
): Result<void> {
  for (const [index, step] of steps.entries()) {
    const judged = judgeStep(step, known[index]);
    if (!judged.ok) return judged;
  }
  const reached = known[steps.length - 1]?.to ?? 1;
  if (reached < version) {
    return refuse('migration-unrecorded', 'this data directory has a layout that no migration of it is recorded for', {
      version,
      recorded: reached,
    });
  }
  if (reached > version) {
    return refuse('store-corrupt', 'the layout version is not that of the last migration', {
      version,
      recorded: reached,
    });
  }
  return ok(undefined);
}

/** A step that a directory remembers, by what this program has in its place. Refusals: `migration-missing`, `migration-edited` */
export function judgeStep({ checksum, id }: RecordedStep, own: LayoutStep | undefined): Result<void> {
  if (own?.id !== id) {
    return refuse('migration-missing', 'this data directory was changed by a migration that this program has not', {
      step: id,
    });
  }
  if (own.checksum === checksum) return ok(undefined);
  return refuse('migration-edited', 'a migration of this data directory was another one than it is by now', {
    step: id,
    recorded: checksum,
    known: own.checksum,
  });
}

function versionOf(written: Uint8Array): number | null {
  let version: string;
  try {
    version = textFromUtf8(written);
  } catch {
    return null;
  }
  return /^(0|[1-9]\d{0,8})$/.test(version) ? Number(version) : null;
}
