import { describe, expect, it } from 'vitest';
import { checkSubmitterClock } from '../../src/ledger/admission-time.ts';
import { codeOf, eventOf, joinedFields, peerOf, START } from './nodes.ts';

describe("a submitter's clock", () => {
  const { event } = eventOf(joinedFields(peerOf(1), 1));

  it.each([
    [-121, 'clock-skew'],
    [-120, 'applied'],
    [120, 'applied'],
    [121, 'clock-skew'],
  ])('%i s from that of this node: %s', (seconds, code) => {
    expect(codeOf(checkSubmitterClock(event, START + seconds))).toBe(code);
  });
});
