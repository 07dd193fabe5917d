/** Which steps lead a data directory to another layout, and why none may be made. Pure. */
import { codedError, refuse, unwrap, type Result } from '../../base/result.ts';
import { judgeStep, judgeSteps, LAYOUT_STEPS, type LayoutState, type LayoutStep } from '../../ledger/layout-history.ts';
import { STEPS } from '../../../migrations/list.ts';
import type { MigrationStep } from '../../../migrations/step.ts';
import type { Direction } from './run-step.ts';

/** The steps of this program; a test may have others. */
export interface KnownSteps {
  readonly steps: readonly MigrationStep[];
  readonly history: readonly LayoutStep[];
}

export const OWN_STEPS: KnownSteps = { steps: STEPS, history: LAYOUT_STEPS };

export function newestLayout({ history }: KnownSteps): number {
  return history.at(-1)?.to ?? 1;
}

/**
 * What a directory is, whatever is to be done to it.
 *
 * Refusals: `layout-newer`, those of `judgeSteps`.
 */
export function judgeDirectory(layout: LayoutState, { history }: KnownSteps): Result<void> {
  const { steps, underWay, version } = layout;
  const newest = history.at(-1)?.to ?? 1;
  if (version > newest) {
    return refuse('layout-newer', 'a newer program wrote this data directory; nothing was changed', {
      version,
      known: newest,
    });
  }
  if (underWay === null) return judgeSteps({ steps, version }, history);
  const row = history.find(({ id }) => id === underWay.id);
  const begun = judgeStep(underWay, row);
  if (row === undefined || !begun.ok) return begun;
  // Until it is done, the directory counts as of the layout that it left.
  return judgeSteps({ steps, version: underWay.direction === 'up' ? row.from : row.to }, history);
}

/**
 * The steps still to be made, in order; the first is the one that is under way, if one is.
 *
 * @param to the layout to end at
 * @throws CodedError those of `judgeDirectory`, `migration-under-way` in the other direction, `migration-target`
 */
export function planFor(
  layout: LayoutState,
  direction: Direction,
  to: number,
  known: KnownSteps = OWN_STEPS,
): readonly MigrationStep[] {
  unwrap(judgeDirectory(layout, known));
  const { underWay, version } = layout;
  if (underWay !== null && underWay.direction !== direction) {
    const message = `a migration is under way: finish it with "hotledger migrate ${underWay.direction}"`;
    throw codedError('migration-under-way', message, { step: underWay.id, direction: underWay.direction });
  }
  const begun = known.steps.find(({ id }) => id === underWay?.id);
  const from = begun === undefined ? version : direction === 'up' ? begun.from : begun.to;
  const ends = new Set([1, ...known.steps.map((step) => step.to)]);
  if (!ends.has(to) || (direction === 'up' ? to < from : to > from)) {
    throw codedError('migration-target', `there is no way ${direction} from layout ${from} to layout ${to}`, {
      from,
      to,
      newest: newestLayout(known),
    });
  }
  return direction === 'up'
    ? known.steps.filter((step) => step.from >= from && step.to <= to)
    : known.steps.filter((step) => step.from >= to && step.to <= from).toReversed();
}
