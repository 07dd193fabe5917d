/**
 * The migrations of a data directory whose node is stopped: what is to be done, a trial on a clone, and the thing itself,
 * with a backup first.
 */
import { CodedError, codedError, unwrap, type Refusal } from '../../base/result.ts';
import { judgeLayout, type LayoutState } from '../../ledger/layout-history.ts';
import { LevelStore } from '../../store/level-store.ts';
import { bytesToCopy } from '../clone-store.ts';
import { forgetNote, ledgerDirectory, lookAtLayout, throughClone } from '../open-store.ts';
import { isRunning } from '../replay/open-source.ts';
import { backUpStore, checkRoom, checkSame, freeBytesOf, roomFor, type Backup, type FreeBytes } from './backup.ts';
import { newestLayout, OWN_STEPS, planFor, type KnownSteps } from './plan.ts';
import type { MigrationStep } from '../../../migrations/step.ts';
import { runStep, walkOf, type Direction, type StepProgress, type StepReport } from './run-step.ts';

export interface MigrationStatus {
  readonly layout: number;
  readonly newest: number;
  readonly steps: readonly StepStatus[];
  /** Why no program opens the directory as a ledger at this moment, or why this one does not; null: it does. */
  readonly refusal: Refusal | null;
}

export interface StepStatus {
  readonly id: string;
  readonly from: number;
  readonly to: number;
  readonly title: string;
  readonly state: 'done' | 'under way' | 'to do';
  readonly undoable: boolean;
}

export interface MigrateOptions {
  readonly direction: Direction;
  /** The layout to end at; left out: the newest, or downwards the one before. */
  readonly to?: number;
  readonly onProgress: (progress: StepProgress) => void;
  readonly known?: KnownSteps;
}

export interface MigrationReport {
  readonly from: number;
  readonly to: number;
  readonly steps: readonly StepReport[];
  /** Null where none was asked for, or nothing was to be done, or the migration had begun before. */
  readonly backup: Backup | null;
}

export interface Trial {
  readonly from: number;
  readonly to: number;
  /** Made on a clone, and checked. */
  readonly steps: readonly StepReport[];
  /** The step that the time was over in. */
  readonly unfinished: StepProgress | null;
  /** How long all of it takes, from what was measured. */
  readonly estimatedSeconds: number;
  /** Steps behind the unfinished one, of which nothing is known. */
  readonly untried: readonly string[];
}

/** Changes nothing, and may be asked while the node runs. @throws CodedError as `lookAtLayout`, `store-empty` */
export async function migrationStatus(dataDirectory: string, known = OWN_STEPS): Promise<MigrationStatus> {
  const layout = await layoutOf(dataDirectory, known);
  const judged = judgeLayout(layout, known.history);
  const done = new Set(layout.steps.map(({ id }) => id));
  return {
    layout: layout.version,
    newest: newestLayout(known),
    refusal: judged.ok ? null : judged.refusal,
    steps: known.steps.map(({ down, from, id, title, to }) => ({
      id,
      from,
      to,
      title,
      state: layout.underWay?.id === id ? 'under way' : done.has(id) ? 'done' : 'to do',
      undoable: down !== null,
    })),
  };
}

/**
 * @throws CodedError those of `planFor`, `backUpStore`, `runStep`; `store-locked` while the node runs
 */
export async function migrate(
  dataDirectory: string,
  options: MigrateOptions & { readonly backup: boolean; readonly freeBytes?: FreeBytes },
): Promise<MigrationReport> {
  const { direction, freeBytes = freeBytesOf, known = OWN_STEPS, onProgress } = options;
  const directory = ledgerDirectory(dataDirectory);
  if (await isRunning(dataDirectory)) throw lockedError(directory);
  const layout = await inStopped(directory, layoutOf(dataDirectory, known));
  const from = layout.version;
  const plan = planFor(layout, direction, targetOf(options, layout, known), known);
  if (plan.length === 0) return { from, to: from, steps: [], backup: null };
  const isNew = layout.underWay === null;
  if (isNew) await inStopped(directory, admitOnClone(directory, plan, { ...options, freeBytes, known }));
  await forgetNote(dataDirectory);
  // Nobody has it open; and what is in LevelDB's log goes into a table, which a backup need not copy.
  await (await LevelStore.open(directory)).close();
  const backup = options.backup && isNew ? await backUpStore(directory, from, freeBytes, known.history) : null;
  const store = await LevelStore.open(directory);
  try {
    if (backup !== null) await checkSame(store, backup);
    const steps: StepReport[] = [];
    for (const step of plan) {
      const admitted = (bytes: number) => checkRoom(directory, roomFor(bytes), freeBytes);
      steps.push(await runStep(store, step, direction, { known: known.history, admitted, onProgress }));
    }
    return { from, to: steps.at(-1)?.to ?? from, steps, backup };
  } finally {
    await store.close();
  }
}

/** Who changes a store all the while has it open. */
async function inStopped<T>(directory: string, look: Promise<T>): Promise<T> {
  try {
    return await look;
  } catch (error) {
    throw error instanceof CodedError && error.code === 'store-busy' ? lockedError(directory, error) : error;
  }
}

function lockedError(directory: string, cause?: CodedError): CodedError {
  const message = 'another process has the data directory open: stop its node first';
  return codedError('store-locked', message, { directory }, { cause });
}

/**
 * What would be refused, and what there is no room for, is found before the directory is touched. What a step will refuse
 * or write, it says of the layout that it begins with: the steps before it are made on the clone, which takes as much of
 * the disk as they will. The last one is only asked, so that a single one, however huge the directory, is not made twice.
 */
async function admitOnClone(
  directory: string,
  plan: readonly MigrationStep[],
  { backup, direction, freeBytes, known }: Required<Pick<MigrateOptions, 'direction' | 'known'>> & Room,
): Promise<void> {
  const backupBytes = backup ? await bytesToCopy(directory, true) : 0;
  const admitted = (bytes: number) => checkRoom(directory, backupBytes + roomFor(bytes), freeBytes);
  const walks = plan.map((step) => walkOf(step, direction));
  await throughClone(directory, async (store) => {
    for (const step of plan.slice(0, -1)) {
      await runStep(store, step, direction, { known: known.history, admitted, onProgress: () => undefined });
    }
    const last = walks.at(-1);
    if (last !== undefined) await admitted(unwrap(await last.admit(store)).bytes);
  });
}

interface Room {
  readonly backup: boolean;
  readonly freeBytes: FreeBytes;
}

/**
 * The same on a clone that is thrown away.
 *
 * @param options.limitMs time for it; what is not done by then is estimated from what is
 * @throws CodedError as `migrate` would
 */
export async function tryMigration(
  dataDirectory: string,
  options: MigrateOptions & { readonly limitMs: number },
): Promise<Trial> {
  const { direction, known = OWN_STEPS, limitMs } = options;
  const layout = await layoutOf(dataDirectory, known);
  const plan = planFor(layout, direction, targetOf(options, layout, known), known);
  const endMs = performance.now() + limitMs;
  const steps: StepReport[] = [];
  const startedMs = performance.now();
  let unfinished: StepProgress | null = null;
  await throughClone(ledgerDirectory(dataDirectory), async (store) => {
    for (const step of plan) {
      const onProgress = (progress: StepProgress) => {
        options.onProgress(progress);
        if (performance.now() > endMs && progress.records < progress.total) throw new TimeIsOver(progress);
      };
      try {
        steps.push(await runStep(store, step, direction, { known: known.history, onProgress }));
      } catch (error) {
        if (!(error instanceof TimeIsOver)) throw error;
        unfinished = error.progress;
        return;
      }
    }
  });
  const seconds = (performance.now() - startedMs) / 1000;
  const total = seconds + leftOf(unfinished, seconds - sum(steps));
  // `migrate` makes them on a clone first, all but the last.
  const rehearsed = plan.length - 1;
  const rehearsal = steps.length >= rehearsed ? sum(steps.slice(0, Math.max(0, rehearsed))) : total;
  const tried = steps.length + (unfinished === null ? 0 : 1);
  const target = plan.at(-1);
  return {
    from: layout.version,
    to: target === undefined ? layout.version : direction === 'up' ? target.to : target.from,
    steps,
    unfinished,
    estimatedSeconds: total + rehearsal,
    untried: plan.slice(tried).map(({ id }) => id),
  };
}

class TimeIsOver extends Error {
  override readonly name = 'TimeIsOver';
  readonly progress: StepProgress;

  constructor(progress: StepProgress) {
    super('the time for the trial is over');
    this.progress = progress;
  }
}

function sum(steps: readonly StepReport[]): number {
  return steps.reduce((total, { seconds }) => total + seconds, 0);
}

/** @param seconds that the part which is done took */
function leftOf(unfinished: StepProgress | null, seconds: number): number {
  if (unfinished === null || unfinished.records === 0) return 0;
  return (seconds * (unfinished.total - unfinished.records)) / unfinished.records;
}

async function layoutOf(dataDirectory: string, known: KnownSteps): Promise<LayoutState> {
  const layout = await lookAtLayout(ledgerDirectory(dataDirectory), known.history);
  if (layout === null) throw codedError('store-empty', 'the store holds no ledger yet');
  return layout;
}

function targetOf({ direction, to }: MigrateOptions, { underWay, version }: LayoutState, known: KnownSteps): number {
  if (to !== undefined) return to;
  if (direction === 'up') return newestLayout(known);
  const begun = known.steps.find(({ id }) => id === underWay?.id);
  return begun?.from ?? known.steps.find((step) => step.to === version)?.from ?? version;
}
