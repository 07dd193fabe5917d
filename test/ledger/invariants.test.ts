import { describe, expect, it } from 'vitest';
import { AssertionError } from '../../src/base/assert.ts';
import { checkReach, checkRecordInvariants } from '../../src/ledger/invariants.ts';
import { writeEntry } from '../../src/ledger/entries.ts';
import type { NodeRecord } from '../../src/ledger/record.ts';
import { nodeKey, Overlay, PARAMETERS_KEY, proposalKey } from '../../src/ledger/state.ts';
import { ZERO_HASH } from '../../src/base/hash.ts';
import { joinedFields, peerOf, START, TestChain } from './nodes.ts';

const alice = peerOf(1);

function sound(): NodeRecord {
  const chain = new TestChain([peerOf(100)]);
  chain.apply(joinedFields(alice, 1));
  chain.now += 2000;
  chain.apply({ type: 'heartbeat', peerId: alice, seq: 2 });
  return chain.record(alice);
}

describe('a record is not written', () => {
  it('unless it is sound', () => {
    expect(() => checkRecordInvariants(sound())).not.toThrow();
  });

  it.each<[string, Partial<NodeRecord>]>([
    ['first joined after it joined', { firstJoined: START + 1 }],
    ['that joined after it was heard', { lastJoined: START + 2001 }],
    ['that was heard after it was updated', { lastHeard: START + 2001 }],
    ['that left after it was updated', { activity: 'left', lastLeft: START + 2001 }],
    ['that left and has an open session', { activity: 'joined', lastLeft: START + 1 }],
    ['that left before it joined', { activity: 'left', lastLeft: START - 1 }],
    ['with more uptime than time', { closedUptimeNs: 1n }],
    ['with less uptime than none', { closedUptimeNs: -1n }],
    ['with unsorted addresses', { multiaddrs: ['/b', '/a'] }],
    ['with an address twice', { multiaddrs: ['/a', '/a'] }],
    ['that nobody signed', { lastSeq: 0 }],
  ])('%s', (_, change) => {
    const overlay = new Overlay({ get: () => undefined });
    expect(() => writeEntry(overlay, { ...sound(), ...change })).toThrow(AssertionError);
    expect(overlay.changes()).toEqual([]);
  });
});

describe('the reach of an event', () => {
  const value = new Uint8Array();

  it("is its signer's record, one that a quorum decided about, and what is no record", () => {
    const changes = [nodeKey(alice), PARAMETERS_KEY, proposalKey(ZERO_HASH)].map((key) => ({ key, value }));
    expect(() => checkReach(alice, undefined, changes)).not.toThrow();
    expect(() => checkReach(peerOf(2), alice, changes)).not.toThrow();
  });

  it("is never another's record", () => {
    expect(() => checkReach(peerOf(2), undefined, [{ key: nodeKey(alice), value }])).toThrow(AssertionError);
    expect(() => checkReach(peerOf(2), peerOf(3), [{ key: nodeKey(alice), value: undefined }])).toThrow(AssertionError);
  });
});
