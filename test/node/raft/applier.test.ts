import { beforeEach, expect, test } from 'vitest';
import type { Write } from '../../../src/node/group-commit.ts';
import { Applier } from '../../../src/node/raft/applier.ts';
import type { Application, StateMachine } from '../../../src/node/raft/state-machine.ts';
import { ENTRY_TYPES, type Entry } from '../../../src/raft/messages.ts';
import { configurationCodec } from '../../../src/raft/wire/configuration-codec.ts';
import { command } from './entries.ts';

let log: string[];
let entries: Map<number, Entry>;
let writes: { readonly write: Write; readonly written: (() => void) | null }[];
let failures: unknown[];

beforeEach(() => {
  log = [];
  entries = new Map();
  writes = [];
  failures = [];
});

function applier(machine: Partial<StateMachine<string>> = {}): Applier<string> {
  const apply = (batch: readonly Entry[]): Application<string> => {
    log.push(`apply ${batch.map(({ index }) => index).join(' ')}`);
    return { operations: [], outcomes: batch.map(({ index }) => `outcome ${index}`) };
  };
  return new Applier<string>(
    {
      begin: (run) => run(),
      machine: { apply, ...machine },
      codec: configurationCodec,
      entry: (index) => entries.get(index),
      write: (write, written) => void writes.push({ write, written }),
      outcome: ({ index }, outcome) => log.push(`${index}: ${outcome}`),
      applied: (index) => log.push(`applied ${index}`),
      failed: (error) => failures.push(error),
    },
    { index: 0, term: 0 },
    { index: 0, configuration: { servers: [] } },
  );
}

function fill(to: number, bytes = 1): void {
  for (let index = 1; index <= to; index++) entries.set(index, command(index, 1, 'x'.repeat(bytes)));
}

const tick = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('committed entries are applied in order, and each proposer hears before the rest of the server does', async () => {
  const one = applier();
  fill(3);
  one.commitTo(2);
  one.commitTo(3);
  expect(log).toEqual([]);
  await Promise.resolve();
  expect(log).toEqual(['apply 1 2 3', '1: outcome 1', '2: outcome 2', '3: outcome 3', 'applied 3']);
  expect(one.applied).toEqual({ index: 3, term: 1 });
  expect(writes.map(({ write }) => write.sync)).toEqual([false]);
});

test('much is applied in bounded batches, with the loop in between', async () => {
  const one = applier();
  fill(1200);
  one.commitTo(1200);
  await Promise.resolve();
  expect(one.applied.index).toBe(512);
  await tick();
  expect(one.applied.index).toBe(1024);
  await tick();
  expect(one.applied.index).toBe(1200);
});

test('large entries make smaller batches, and one that is larger than a batch goes alone', async () => {
  const one = applier();
  fill(3, 800_000);
  entries.set(4, command(4, 1, 'x'.repeat(3_000_000)));
  one.commitTo(4);
  for (let i = 0; i < 5; i++) await tick();
  expect(log.filter((line) => line.startsWith('apply '))).toEqual(['apply 1', 'apply 2', 'apply 3', 'apply 4']);
});

test('nothing is applied while it is paused, however often', async () => {
  const one = applier();
  fill(5);
  one.pause();
  one.pause();
  one.commitTo(5);
  await tick();
  one.resume();
  await tick();
  expect(log).toEqual([]);
  one.resume();
  await tick();
  expect(one.applied.index).toBe(5);
});

test('what a snapshot holds is not applied again', async () => {
  const one = applier();
  fill(9);
  one.pause();
  one.commitTo(9);
  one.restored({ index: 7, term: 1 }, { index: 1, configuration: { servers: [] } });
  one.resume();
  await tick();
  expect(log[0]).toBe('apply 8 9');
});

test('the configuration at the applied index is known', async () => {
  const one = applier();
  const configuration = { servers: [{ id: 'a', address: 'a:1', suffrage: 'voter' as const }] };
  const data = configurationCodec.encode(configuration);
  entries.set(1, { ...command(1), type: ENTRY_TYPES.configuration, data });
  entries.set(2, command(2));
  one.commitTo(2);
  await tick();
  expect(one.configuration).toEqual({ index: 1, configuration });
});

test('a machine that wants to hear of its writes hears of each when it is written', async () => {
  const heard: string[][] = [];
  const one = applier({ written: ({ outcomes }) => void heard.push([...outcomes]) });
  fill(2);
  one.commitTo(2);
  await tick();
  expect(heard).toEqual([]);
  writes[0]?.written?.();
  expect(heard).toEqual([['outcome 1', 'outcome 2']]);
});

test('a machine that nobody waits for has its writes go with others', async () => {
  const one = applier();
  fill(1);
  one.commitTo(1);
  await tick();
  expect(writes[0]?.written).toBeNull();
});

test.each<[string, Partial<StateMachine<string>>]>([
  [
    'throws',
    {
      apply: () => {
        throw new Error('our own bug');
      },
    },
  ],
  ['has too few outcomes', { apply: () => ({ operations: [], outcomes: [] }) }],
])('a machine that %s stops everything', async (_, machine) => {
  const one = applier(machine);
  fill(2);
  one.commitTo(1);
  await tick();
  expect(failures).toHaveLength(1);
  one.commitTo(2);
  await tick();
  expect([failures.length, one.applied.index]).toEqual([1, 0]);
});
