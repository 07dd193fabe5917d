/** The check of a history of writes and verified reads: each fault that it is there for is found. */
import { expect, test } from 'vitest';
import { sha256Hex } from '../../src/base/hash.ts';
import { utf8 } from '../../src/base/bytes.ts';
import { KEPT, linearizabilityFaults, type History, type Reading } from './linearizability.ts';
import type { Acknowledgement, Submission } from './load.ts';

const A = 'node-a';
const B = 'node-b';

function submission(peerId: string, seq: number, sentMs: number): Submission {
  return { id: sha256Hex(utf8(`${peerId} ${seq}`)), peerId, seq, version: `v${seq}`, sentMs };
}

/** Acknowledged five milliseconds later, unless said otherwise. */
function acknowledgement(of: Submission, height: number | null, over: Partial<Acknowledgement> = {}): Acknowledgement {
  return { id: of.id, peerId: of.peerId, seq: of.seq, height, by: 'validator-1', atMs: of.sentMs + 5, ...over };
}

/** Takes a millisecond. */
function reading(startedMs: number, height: number, seq: number | null, over: Partial<Reading> = {}): Reading {
  const record = { peerId: A, lastSeq: seq, version: seq === null ? null : `v${seq}` };
  const times = { startedMs, endedMs: startedMs + 1 };
  return { reader: 'one', servedBy: 'validator-1', height, ageMs: null, floor: null, ...record, ...times, ...over };
}

/**
 *     ms      10     20      30      40      50      60
 *     A       1 in block 4           2 in block 7    3, not answered
 *     B              1 in block 5
 */
const a1 = submission(A, 1, 10);
const b1 = submission(B, 1, 20);
const a2 = submission(A, 2, 40);
const a3 = submission(A, 3, 60);
const first = acknowledgement(a1, 4);
const second = acknowledgement(b1, 5);
const third = acknowledgement(a2, 7);

function faults(over: Partial<History>): string[] {
  return linearizabilityFaults({
    submissions: [a1, b1, a2, a3],
    acknowledged: [first, second, third],
    readings: [],
    validators: ['validator-1', 'validator-2', 'validator-3', 'validator-4'],
    wrongClocks: [],
    ...over,
  });
}

test('nothing is found where each reads what the heights give', () => {
  const readings = [
    reading(5, 3, null),
    // While the event was under way.
    reading(12, 4, 1),
    reading(30, 5, 1),
    // Another validator may be behind.
    reading(50, 5, 1, { servedBy: 'validator-2' }),
    reading(50, 7, 2),
    // Not acknowledged, and read.
    reading(70, 9, 3, { servedBy: 'validator-3' }),
    reading(71, 7, 2, { floor: 7 }),
    reading(72, 8, 2, { servedBy: KEPT, floor: 8 }),
  ];
  expect(faults({ readings })).toEqual([]);
});

test('nothing is found where an event is acknowledged again, without a height or by another', () => {
  const again = acknowledgement(a1, null, { atMs: 33 });
  const late = acknowledgement(a1, 4, { by: 'validator-2', atMs: 90 });
  expect(faults({ acknowledged: [first, again, second, third, late], readings: [reading(50, 7, 2)] })).toEqual([]);
});

test.each<[string, Partial<History>, RegExp]>([
  [
    'an event in no later block than one that was acknowledged before it was sent, of another node and validator',
    { acknowledged: [first, acknowledgement(b1, 4, { by: 'validator-2' })] },
    /is in block 4 by validator-2, and was sent after block 4 was acknowledged/,
  ],
  [
    'an acknowledgement of an event that nobody sent',
    { submissions: [b1, a2], acknowledged: [first] },
    /acknowledged by validator-1, was never sent/,
  ],
  [
    'two contents at one height',
    { readings: [reading(70, 9, 3), reading(70, 9, 2, { servedBy: 'validator-2' })] },
    /is at 3 at height 9, and 2 at height 9|is at 2 at height 9, and 3 at height 9/,
  ],
  [
    'an event that was never acknowledged, was read, and is gone',
    { readings: [reading(70, 9, 3), reading(80, 10, 2)] },
    /is at 3 at height 9, and 2 at height 10/,
  ],
  [
    'a record that is gone',
    { acknowledged: [], readings: [reading(50, 9, 2), reading(70, 12, null)] },
    /is at 2 at height 9, and -1 at height 12/,
  ],
  [
    'an acknowledged event that is not read at its height',
    { readings: [reading(50, 7, 1)] },
    /2 of node-a is in block 7 by validator-1; validator-1 proves 1 at height 7/,
  ],
  [
    'an acknowledged event that is not in a later state, even while it was under way',
    { readings: [reading(12, 5, null, { servedBy: 'validator-3' })] },
    /1 of node-a is in block 4 by validator-1; validator-3 proves null at height 5/,
  ],
  [
    'an acknowledged event that is read below its height',
    { readings: [reading(50, 6, 2, { servedBy: 'validator-2' })] },
    /2 of node-a is in block 7 by validator-1; validator-2 proves 2 at height 6/,
  ],
  ['an event that nobody submitted', { readings: [reading(70, 9, 17)] }, /proves 17 of node-a, which was never/],
  ['a content that nobody submitted', { readings: [reading(70, 9, 2, { version: 'x' })] }, /proves 2 of node-a as x/],
  ['an event before it was sent', { readings: [reading(50, 9, 3)] }, /proves 3 of node-a, before it was sent/],
  [
    'a validator that reads behind its own acknowledgement, of whichever node',
    { readings: [reading(30, 4, 1)] },
    /validator-1 proves height 4 after it had told of 5/,
  ],
  [
    'a validator that reads behind what it read before',
    {
      readings: [reading(50, 7, 2, { servedBy: 'validator-2' }), reading(60, 5, 1, { servedBy: 'validator-2' })],
    },
    /validator-2 proves height 5 after it had told of 7/,
  ],
  [
    'a validator that reads behind what it acknowledged without a height',
    {
      acknowledged: [acknowledgement(a2, null, { by: 'validator-2' })],
      readings: [reading(50, 6, 1, { servedBy: 'validator-2' })],
    },
    /validator-2 acknowledged 2 of node-a, and proves 1 later/,
  ],
  [
    'a reader that is given less than it brought',
    { readings: [reading(50, 5, 1, { servedBy: 'validator-3', floor: 6 })] },
    /one held height 6 and took 5 from validator-3/,
  ],
  [
    'an age below the truth',
    {
      acknowledged: ['validator-1', 'validator-2', 'validator-3', 'validator-4'].map((by) => ({ ...third, by })),
      readings: [reading(100, 5, 1, { servedBy: KEPT, ageMs: 20 })],
    },
    /height 5 by kept is said to be 20 ms old, when all had told of 7/,
  ],
  [
    'an age below the truth where one clock is wrong',
    {
      acknowledged: ['validator-2', 'validator-3', 'validator-4'].map((by) => ({ ...third, by })),
      readings: [reading(100, 5, 1, { servedBy: KEPT, ageMs: 20 })],
      wrongClocks: ['validator-1'],
    },
    /height 5 by kept is said to be 20 ms old/,
  ],
])('found: %s', (_what, over, fault) => {
  expect(faults(over).join('\n')).toMatch(fault);
});
