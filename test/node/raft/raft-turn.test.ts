import fc from 'fast-check';
import { expect, test } from 'vitest';
import { utf8 } from '../../../src/base/bytes.ts';
import { Loop } from '../../../src/node/loop.ts';
import { raftPlanner, type RaftOutlets } from '../../../src/node/raft/raft-turn.ts';
import type { RaftEffect, When } from '../../../src/raft/contract.ts';
import type { RaftResponse } from '../../../src/raft/messages.ts';
import type { StoreOperation } from '../../../src/store/store.ts';
import { HeldStore } from '../scripted.ts';

const response: RaftResponse = { kind: 'timeoutNow' };
const persist = (number: number): RaftEffect => ({
  kind: 'persist',
  persist: number,
  hardState: null,
  truncateFrom: null,
  entries: [],
});
const answer = (ask: number, when: When): RaftEffect => ({ kind: 'answer', when, ask, response });
const commit = (index: number): RaftEffect => ({ kind: 'commit', index });

/** A loop whose disk works beside it; each input is the list of effects that it brings. */
function testLoop() {
  const log: string[] = [];
  const store = new HeldStore(log);
  const say =
    (what: string) =>
    (...values: readonly unknown[]): void =>
      void log.push([what, ...values.filter((value) => typeof value === 'number')].join(' '));
  const outlets: RaftOutlets = {
    persistOps: ({ persist: number }): readonly StoreOperation[] => [
      { kind: 'put', key: utf8(`${number}`), value: utf8('value') },
    ],
    persisted: say('persisted'),
    call: ({ call }) => say('call')(call),
    answer: say('answer'),
    commit: say('commit'),
    restore: say('restore'),
    compact: say('compact'),
    proposed: say('proposed'),
    refusedProposal: say('refused proposal'),
    settled: say('settled'),
    unsettled: say('unsettled'),
    readReady: say('read'),
    leaderChanged: say('leader'),
    configurationChanged: say('configuration'),
    refused: say('refused'),
  };
  const failures: unknown[] = [];
  const loop = new Loop<readonly RaftEffect[], RaftEffect>({
    engine: { step: (effects) => effects, wakeAtMs: () => undefined },
    store,
    plan: raftPlanner(outlets),
    disk: { kind: 'beside', failed: (error) => failures.push(error) },
    nowMs: () => 0,
    shareOf: () => null,
  });
  const turn = async (...effects: readonly RaftEffect[]): Promise<void> => {
    loop.offer(effects);
    await loop.turn();
  };
  return { failures, log, store, turn };
}

async function settled(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

test('what promises nothing happens while the disk writes, and what promises waits for it', async () => {
  const { log, store, turn } = testLoop();
  await turn(answer(1, 'now'), persist(1), answer(2, 'durable'), commit(5));
  expect(log).toEqual(['answer 1', 'commit 5', 'writing']);
  store.letThrough();
  await settled();
  expect(log.slice(3)).toEqual(['durable', 'answer 2', 'persisted 1']);
});

test('turns go on while the disk writes, and what they write goes there together', async () => {
  const { log, store, turn } = testLoop();
  await turn(persist(1), answer(1, 'durable'));
  await turn(persist(2), answer(2, 'durable'));
  await turn(persist(3), answer(3, 'durable'), answer(4, 'now'));
  expect(log).toEqual(['writing', 'answer 4']);
  store.letThrough();
  await settled();
  expect(store.batches.map(({ operations, sync }) => [operations.length, sync])).toEqual([
    [1, true],
    [2, true],
  ]);
  store.letThrough();
  await settled();
  expect(log.filter((line) => !/writing|durable/.test(line))).toEqual([
    ...['answer 4', 'answer 1', 'persisted 1'],
    ...['answer 2', 'persisted 2', 'answer 3', 'persisted 3'],
  ]);
});

test('a promise without a write of its own waits for the writes before it, and for no other', async () => {
  const { log, store, turn } = testLoop();
  await turn(answer(1, 'durable'));
  expect(log).toEqual(['answer 1']);
  await turn(persist(1));
  await turn(answer(2, 'durable'));
  expect(log).toEqual(['answer 1', 'writing']);
  store.letThrough();
  await settled();
  expect(log.slice(2)).toEqual(['durable', 'persisted 1', 'answer 2']);
});

test('after a write that failed nothing that waited for it happens, and it is told', async () => {
  const { failures, log, store, turn } = testLoop();
  await turn(persist(1), answer(1, 'durable'));
  await turn(persist(2), answer(2, 'durable'));
  store.fail(new Error('no space'));
  await settled();
  expect(log).toEqual(['writing']);
  expect(failures.length).toBeGreaterThan(0);
  await turn(persist(3), answer(3, 'durable'), answer(4, 'now'));
  expect(log).toEqual(['writing', 'answer 4']);
});

test('promises keep their order, and none is before its write, whatever turns hold and however the disk goes', async () => {
  const kinds = fc.constantFrom('persist', 'promise', 'now', 'disk');
  await fc.assert(
    fc.asyncProperty(fc.array(fc.array(kinds, { maxLength: 5 }), { maxLength: 8 }), async (turns) => {
      const { log, store, turn } = testLoop();
      let persists = 0;
      let asks = 0;
      /** The last persist that was listed before each promise. */
      const needs = new Map<string, number>();
      for (const list of turns) {
        const effects: RaftEffect[] = [];
        for (const kind of list) {
          if (kind === 'persist') effects.push(persist(++persists));
          else if (kind === 'now') effects.push(answer(1_000_000 + ++asks, 'now'));
          else if (kind === 'promise') {
            effects.push(answer(++asks, 'durable'));
            needs.set(`answer ${asks}`, persists);
          } else {
            store.letThrough();
            await settled();
          }
        }
        await turn(...effects);
      }
      for (let i = 0; i < 3; i++) {
        store.letThrough();
        await settled();
      }
      expect(log.filter((line) => needs.has(line))).toEqual([...needs.keys()]);
      const writingAt = log.flatMap((line, at) => (line === 'writing' ? [at] : []));
      for (const [line, number] of needs) {
        if (number === 0) continue;
        const batch = store.batches.findIndex(({ operations }) =>
          operations.some(({ key }) => new TextDecoder().decode(key) === `${number}`),
        );
        const durableAt = log.indexOf('durable', writingAt[batch] ?? Infinity);
        expect(durableAt).toBeGreaterThanOrEqual(0);
        expect(log.indexOf(line)).toBeGreaterThan(durableAt);
      }
    }),
    { numRuns: 50 },
  );
});
