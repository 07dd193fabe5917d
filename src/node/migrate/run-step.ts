/**
 * Runs one step of `migrations/` over an open store. Every change goes with the place to go on from in one synced batch;
 * from the first batch to the last, a mark says that the directory is neither of one layout nor of the other, and every
 * program refuses to open it as a ledger.
 */
import { assert } from '../../base/assert.ts';
import { CodedError, codedError, unwrap } from '../../base/result.ts';
import {
  LAYOUT_STEPS,
  layoutOp,
  readLayout,
  stepsOp,
  underWayOp,
  type LayoutState,
  type LayoutStep,
  type UnderWay,
} from '../../ledger/layout-history.ts';
import type { Store, StoreOperation } from '../../store/store.ts';
import type { MigrationStep, Walk } from '../../../migrations/step.ts';

export type Direction = 'up' | 'down';

export interface StepProgress {
  readonly step: string;
  readonly direction: Direction;
  /** Looked at so far, of about so many. */
  readonly records: number;
  readonly total: number;
}

export interface StepReport {
  readonly step: string;
  readonly direction: Direction;
  readonly from: number;
  readonly to: number;
  readonly records: number;
  readonly batches: number;
  /** It was begun by a process that ended before it was done. */
  readonly resumed: boolean;
  readonly seconds: number;
}

export interface RunStepOptions {
  readonly onProgress: (progress: StepProgress) => void;
  /** What the step will write at most, bytes, before it writes anything: a refusal is thrown. */
  readonly admitted?: (bytes: number) => Promise<void>;
  /** The step's row in the table of the layout's history; a test may have a table of its own. */
  readonly known?: readonly LayoutStep[];
}

/**
 * @throws CodedError `store-corrupt`, `migration-irreversible`, `migration-check-failed`: what is written so far stays
 *   marked as under way; and those of `Store.batch`
 */
export async function runStep(
  store: Store,
  step: MigrationStep,
  direction: Direction,
  { admitted, known = LAYOUT_STEPS, onProgress }: RunStepOptions,
): Promise<StepReport> {
  const startedMs = performance.now();
  const walk = walkOf(step, direction);
  const row = known.find(({ id }) => id === step.id);
  assert(row !== undefined, 'a step that is run has a row in the history of the layout', { step: step.id });
  const layout = unwrap(readLayout(store, known));
  assert(layout !== null, 'a store that is migrated has a layout');
  const begun = layout.underWay ?? (await begin(store, walk, { ...row, direction }, admitted));
  let { cursor, records } = begun;
  let batches = 0;
  const tell = () => {
    onProgress({ step: step.id, direction, records, total: Math.max(begun.total, records) });
  };
  tell();
  for await (const batch of walk.run(store, cursor)) {
    cursor = batch.cursor;
    records += batch.records;
    batches++;
    await store.batch([...batch.operations, underWayOp({ ...begun, cursor, records })], { sync: true });
    tell();
  }
  const checked = await walk.check(store);
  if (!checked.ok) throw new CodedError(checked.refusal);
  await store.batch(doneOps(layout, row, direction), { sync: true });
  const [from, to] = direction === 'up' ? [step.from, step.to] : [step.to, step.from];
  const seconds = (performance.now() - startedMs) / 1000;
  return { step: step.id, direction, from, to, records, batches, resumed: layout.underWay !== null, seconds };
}

/** Nothing is written before the step has seen that the directory is what it is for. */
async function begin(
  store: Store,
  walk: Walk,
  { checksum, direction, from, id, to }: LayoutStep & { readonly direction: Direction },
  admitted: RunStepOptions['admitted'],
): Promise<UnderWay> {
  const { bytes, records: total } = unwrap(await walk.admit(store));
  await admitted?.(bytes);
  const begun: UnderWay = { id, checksum, direction, cursor: null, records: 0, total };
  await store.batch([layoutOp(Math.max(from, to)), underWayOp(begun)], { sync: true });
  return begun;
}

function doneOps({ steps }: LayoutState, row: LayoutStep, direction: Direction): StoreOperation[] {
  const layout = direction === 'up' ? row.to : row.from;
  const recorded = direction === 'up' ? [...steps, row] : steps.slice(0, -1);
  return [layoutOp(layout), stepsOp(recorded), underWayOp(null)];
}

export function walkOf(step: MigrationStep, direction: Direction): Walk {
  if (direction === 'up') return step.up;
  if (step.down !== null) return step.down;
  throw codedError('migration-irreversible', 'this migration cannot be undone', { step: step.id });
}
