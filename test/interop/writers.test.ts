/** The judge of histories is judged: what is in order has no fault, and each way to be wrong has one. */
import { expect, test } from 'vitest';
import { faultsOf, type Acknowledged, type Written } from './writers.ts';

const log: readonly Written[] = [
  { index: 3, command: 'a' },
  { index: 4, command: 'b' },
  { index: 6, command: 'c' },
];
const a: Acknowledged = { command: 'a', index: 3, sentMs: 0, knownMs: 1 };
const b: Acknowledged = { command: 'b', index: 4, sentMs: 2, knownMs: 3 };

test('what was acknowledged and is there, and what is unknown and is there or not, is in order', () => {
  expect(faultsOf(log, { acknowledged: [a, b], unknown: ['c', 'd'] })).toEqual([]);
});

test.each([
  ['lost', [log[1]!, log[2]!], [a, b], ['c'], ['"a", acknowledged at 3, is at no index']],
  [
    'moved',
    log,
    [{ ...a, index: 5 }, b],
    ['c'],
    ['"a", acknowledged at 5, is at 3', '"b" at 4 was sent when 5 was acknowledged already'],
  ],
  ['doubled', [...log, { index: 7, command: 'b' }], [a, b], ['c'], ['"b", acknowledged at 4, is at 4 and 7']],
  ['unknown and doubled', [...log, { index: 7, command: 'c' }], [a, b], ['c'], ['"c" was sent once and is at 6 and 7']],
  ['invented', log, [a, b], [], ['"c" at 6 was sent by nobody']],
  [
    'before its time',
    log,
    [{ ...a, sentMs: 4, knownMs: 5 }, b],
    ['c'],
    ['"a" at 3 was sent when 4 was acknowledged already'],
  ],
])('what was %s is found', (_what, written, acknowledged, unknown, faults) => {
  expect(faultsOf(written, { acknowledged, unknown })).toEqual(faults);
});
