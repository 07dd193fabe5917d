import { describe, expect, test } from 'vitest';
import { Inbox } from '../../src/node/inbox.ts';
import { SealedChain } from '../ledger/chain.ts';
import { inboxShares } from '../../src/node/turn-planner.ts';
import { received, type TestInput } from './scripted.ts';

const chain = new SealedChain();

function submitted(count: number): TestInput {
  return { kind: 'submitted', events: Array.from({ length: count }, (_, node) => chain.join(node)) };
}

const inbox = () => new Inbox<TestInput>(inboxShares({ maxMessagesPerPeer: 2, maxEvents: 3 }));

describe('an inbox', () => {
  test('gives what came first first, at most so many at once', () => {
    const box = inbox();
    const inputs: TestInput[] = [received('a'), { kind: 'tick' }, received('b', 2), { kind: 'started' }];
    for (const input of inputs) expect(box.offer(input)).toBe(true);
    expect(box.take(3)).toEqual(inputs.slice(0, 3));
    expect(box.size).toBe(1);
    expect(box.take(3)).toEqual(inputs.slice(3));
    expect(box.take(3)).toEqual([]);
  });

  test('holds each validator to its own share, which is free again once it was taken', () => {
    const box = inbox();
    expect([1, 1, 1].map((from) => box.offer(received('m', from)))).toEqual([true, true, false]);
    expect(box.offer(received('m', 2))).toBe(true);
    box.take(1);
    expect([1, 1].map((from) => box.offer(received('m', from)))).toEqual([true, false]);
  });

  test('bounds submitted events in all, and takes a large batch alone', () => {
    const box = inbox();
    expect([2, 2, 1].map((count) => box.offer(submitted(count)))).toEqual([true, false, true]);
    expect(box.offer(received('m'))).toBe(true);
    box.take(3);
    expect([5, 1].map((count) => box.offer(submitted(count)))).toEqual([true, false]);
  });

  test("takes a turn's own messages beyond any bound", () => {
    const box = inbox();
    for (let i = 0; i < 5; i++) box.put(received(`${i}`, 0));
    expect(box.size).toBe(5);
    expect(box.offer(received('m', 0))).toBe(false);
    box.take(4);
    expect(box.offer(received('m', 0))).toBe(true);
  });

  test('always takes what answers this node itself', () => {
    const box = inbox();
    const answers: TestInput[] = [
      { kind: 'verified', job: 1, outcome: 'x' },
      { kind: 'fetchFailed', request: 1, refusal: { code: 'x', message: '', details: {} } },
      { kind: 'connected', peer: 1 },
    ];
    for (let i = 0; i < 100; i++) for (const answer of answers) expect(box.offer(answer)).toBe(true);
  });
});
