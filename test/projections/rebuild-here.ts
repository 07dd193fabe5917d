/** A rebuild in the test's own thread, which goes on only as far as the test lets it. */
import { setImmediate } from 'node:timers/promises';
import type { GenesisState } from '../../src/ledger/genesis-state.ts';
import type { BlockLog } from '../../src/ledger/block-log.ts';
import type { RebuildRun, StartRebuild } from '../../src/node/projections/live-rebuild.ts';
import { buildRows } from '../../src/projections/build.ts';
import type { Projection } from '../../src/projections/projection.ts';
import { rowWriter } from '../../src/projections/rows.ts';
import type { ValidatorSet } from '../../src/qc/validator-set.ts';
import type { Store } from '../../src/store/store.ts';

export interface RebuiltFrom {
  readonly store: Store;
  readonly log: BlockLog;
  readonly first: GenesisState;
  readonly validators: ValidatorSet;
  readonly catalog: readonly Projection[];
  readonly eventsPerBatch?: number;
  /** Between two batches. */
  readonly pause?: () => Promise<void>;
}

export function rebuildHere({ pause = setImmediate, validators, ...from }: RebuiltFrom): StartRebuild {
  return (plan, onProgress): RebuildRun => {
    let finishAt: number | null = null;
    let isStopped = false;
    const ended = buildRows({
      ...from,
      plan,
      write: rowWriter(from.store),
      validatorsOf: () => validators,
      control: { pause, onProgress, finishAt: () => finishAt, isStopped: () => isStopped },
    });
    ended.catch(() => undefined);
    return {
      ended,
      finishAt: (height) => {
        finishAt = height;
      },
      stop: async () => {
        isStopped = true;
        await ended.catch(() => undefined);
      },
    };
  };
}
