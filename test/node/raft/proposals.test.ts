import { expect, test } from 'vitest';
import { utf8 } from '../../../src/base/bytes.ts';
import { Proposals } from '../../../src/node/raft/proposals.ts';

function proposals(maxGathered = 10_000) {
  const log: string[] = [];
  const waiting = new Proposals<string>(maxGathered);
  const add = (name: string) =>
    waiting.add(0, utf8(name), (outcome) => {
      log.push(
        outcome.ok ? `${name}: ${outcome.value.index} ${outcome.value.outcome}` : `${name}: ${outcome.refusal.code}`,
      );
    });
  return { add, log, waiting };
}

const lost = { code: 'leadership-lost', message: '', details: {} };

test('what was gathered is taken together, in the order of adding', () => {
  const { add, waiting } = proposals();
  for (const name of ['a', 'b', 'c']) add(name);
  expect(waiting.gathered).toBe(3);
  const taken = waiting.take();
  expect(taken.map(({ data, number }) => `${number} ${new TextDecoder().decode(data!)}`)).toEqual([
    '1 a',
    '2 b',
    '3 c',
  ]);
  expect([waiting.gathered, waiting.waiting, waiting.take()]).toEqual([0, 3, []]);
});

test('not more than so many are taken together', () => {
  const { add, waiting } = proposals();
  for (let i = 0; i < 1500; i++) add(`${i}`);
  expect([waiting.take().length, waiting.gathered, waiting.take().length]).toEqual([1024, 476, 476]);
});

test('each proposer hears of its own entry, once', () => {
  const { add, log, waiting } = proposals();
  for (const name of ['a', 'b', 'c']) add(name);
  waiting.take();
  waiting.proposed(1, 7, 2);
  waiting.proposed(2, 8, 2);
  waiting.proposed(3, 10, 2);
  for (const index of [6, 7, 8, 9, 10, 10]) waiting.applied(index, 2, `outcome ${index}`);
  expect(log).toEqual(['a: 7 outcome 7', 'b: 8 outcome 8', 'c: 10 outcome 10']);
  expect(waiting.waiting).toBe(0);
});

test("an entry of another term at the same index is nobody's", () => {
  const { add, log, waiting } = proposals();
  add('a');
  waiting.take();
  waiting.proposed(1, 7, 2);
  waiting.applied(7, 3, 'of another leader');
  expect(log).toEqual([]);
  waiting.refused(1, lost);
  expect(log).toEqual(['a: leadership-lost']);
});

test('who was told that nobody knows hears nothing more, whatever is applied later', () => {
  const { add, log, waiting } = proposals();
  add('a');
  add('b');
  waiting.take();
  waiting.proposed(1, 7, 2);
  waiting.proposed(2, 8, 2);
  waiting.refused(1, lost);
  waiting.refused(1, lost);
  waiting.applied(7, 2, 'x');
  waiting.applied(8, 2, 'y');
  expect(log).toEqual(['a: leadership-lost', 'b: 8 y']);
});

test('too much that waits is refused at once', () => {
  const { add, log, waiting } = proposals(2);
  for (const name of ['a', 'b', 'c']) add(name);
  expect(log).toEqual(['c: busy']);
  waiting.take();
  add('d');
  expect(log).toEqual(['c: busy']);
});

test('who proposes again from within what it hears is gathered for the next turn', () => {
  const waiting = new Proposals<number>(10);
  const heard: number[] = [];
  const propose = (left: number): void =>
    waiting.add(0, null, (outcome) => {
      if (!outcome.ok) return;
      heard.push(outcome.value.index);
      if (left > 0) propose(left - 1);
    });
  propose(2);
  for (let index = 1; index <= 3; index++) {
    const [proposal] = waiting.take();
    waiting.proposed(proposal!.number, index, 1);
    waiting.applied(index, 1, index);
  }
  expect(heard).toEqual([1, 2, 3]);
});

test('at the end everybody hears that it ends', () => {
  const { add, log, waiting } = proposals();
  add('a');
  waiting.take();
  waiting.proposed(1, 7, 2);
  add('b');
  waiting.close({ code: 'stopping', message: '', details: {} });
  expect(log).toEqual(['a: stopping', 'b: stopping']);
  expect([waiting.gathered, waiting.waiting]).toEqual([0, 0]);
});

test('thousands in a row leave nothing behind', () => {
  const { add, log, waiting } = proposals();
  for (let index = 1; index <= 5000; index++) {
    add('x');
    const [proposal] = waiting.take();
    waiting.proposed(proposal!.number, index, 1);
    waiting.applied(index, 1, 'y');
  }
  expect([log.length, waiting.waiting]).toEqual([5000, 0]);
});

test('who leads again, over a log that was cut, hears of what it proposes then', () => {
  const { add, log, waiting } = proposals();
  for (const name of ['a', 'b', 'c']) add(name);
  waiting.take();
  for (const number of [1, 2, 3]) waiting.proposed(number, 6 + number, 2);
  for (const number of [1, 2, 3]) waiting.refused(number, lost);
  for (const name of ['d', 'e']) add(name);
  waiting.take();
  waiting.proposed(4, 8, 4);
  waiting.proposed(5, 9, 4);
  waiting.applied(7, 3, 'of another leader');
  waiting.applied(8, 4, 'outcome 8');
  waiting.applied(9, 4, 'outcome 9');
  expect(log.slice(3)).toEqual(['d: 8 outcome 8', 'e: 9 outcome 9']);
  expect(waiting.waiting).toBe(0);
});
