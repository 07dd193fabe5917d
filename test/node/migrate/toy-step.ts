/** A step over a small store of its own kind, in many batches: each value under T gets a mark, and loses it downwards. */
import { textFromUtf8, utf8 } from '../../../src/base/bytes.ts';
import { sha256Hex } from '../../../src/base/hash.ts';
import { ok, refuse, type Result } from '../../../src/base/result.ts';
import { layoutOp, stepsOp, type LayoutStep } from '../../../src/ledger/layout-history.ts';
import { LAYOUT_VERSION } from '../../../src/ledger/layout.ts';
import { OWN_STEPS, type KnownSteps } from '../../../src/node/migrate/plan.ts';
import type { Store, StoreOperation } from '../../../src/store/store.ts';
import type { MigrationStep, StoreReader, Walk } from '../../../migrations/step.ts';

const ENTRIES = 23;
const PER_BATCH = 4;
const RANGE = { lt: utf8('U') };

export const TOY_LAYOUT = LAYOUT_VERSION + 1;

export function toyStep(change: Partial<MigrationStep> = {}): MigrationStep {
  return {
    id: `000${TOY_LAYOUT}-toy`,
    from: LAYOUT_VERSION,
    to: TOY_LAYOUT,
    title: 'Each value of the toy has a mark.',
    up: walk((value) => `${value}!`, '!'),
    down: walk((value) => value.slice(0, -1), ''),
    ...change,
  };
}

/** The steps of this program, and the toy behind them. */
export function withToy(step = toyStep(), checksum = sha256Hex(utf8('toy'))): KnownSteps {
  const row: LayoutStep = { id: step.id, from: step.from, to: step.to, checksum };
  return { steps: [...OWN_STEPS.steps, step], history: [...OWN_STEPS.history, row] };
}

/** Two of them, one behind the other; the second writes so much. */
export function withTwoToys(bytes: number, onRun: (step: string) => void = () => undefined): KnownSteps {
  const [first, second] = [
    toyStep(),
    { ...toyStep(), from: TOY_LAYOUT, to: TOY_LAYOUT + 1, id: `000${TOY_LAYOUT + 1}-toy` },
  ];
  const twice = {
    ...walk((value) => `${value}?`, '!?'),
    admit: () => Promise.resolve(ok({ records: ENTRIES, bytes })),
  };
  const told = (step: MigrationStep, up: Walk): MigrationStep => ({
    ...step,
    up: { ...up, run: (...given) => (onRun(step.id), up.run(...given)) },
  });
  const one = withToy(told(first, first.up));
  const row: LayoutStep = { id: second.id, from: second.from, to: second.to, checksum: sha256Hex(utf8('second')) };
  return { steps: [...one.steps, told(second, twice)], history: [...one.history, row] };
}

/** What the toy works on, in a store of the present layout. */
export function toyOps(): StoreOperation[] {
  const values = Array.from({ length: ENTRIES }, (_, index) => ({
    kind: 'put' as const,
    key: utf8(`T${String(index).padStart(3, '0')}`),
    value: utf8(`value ${index}`),
  }));
  return [layoutOp(LAYOUT_VERSION), stepsOp(OWN_STEPS.history), ...values];
}

export async function valuesOf(store: Pick<Store, 'entries'>): Promise<readonly string[]> {
  const values: string[] = [];
  for await (const [, value] of store.entries({ gte: utf8('T'), ...RANGE })) values.push(textFromUtf8(value));
  return values;
}

function walk(change: (value: string) => string, ending: string): Walk {
  return {
    admit: async () => ok({ records: ENTRIES, bytes: 1000 }),
    async *run(store, cursor) {
      let operations: StoreOperation[] = [];
      const from = cursor === null ? { gte: utf8('T') } : { gt: cursor };
      for await (const [key, value] of store.entries({ ...from, ...RANGE })) {
        operations.push({ kind: 'put', key, value: utf8(change(textFromUtf8(value))) });
        if (operations.length < PER_BATCH) continue;
        yield { operations, cursor: key, records: operations.length };
        operations = [];
      }
      const last = operations.at(-1);
      if (last !== undefined) yield { operations, cursor: last.key, records: operations.length };
    },
    check: (store) => endingWith(store, ending),
  };
}

async function endingWith(store: StoreReader, ending: string): Promise<Result<void>> {
  const values = await valuesOf(store);
  const isDone = values.every((value, index) => value === `value ${index}${ending}`);
  return isDone ? ok(undefined) : refuse('migration-check-failed', 'a value is not what it should be');
}
