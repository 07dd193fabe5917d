import { beforeEach, describe, expect, it } from 'vitest';
import { ZERO_HASH, type Hash } from '../../src/base/hash.ts';
import { unwrap } from '../../src/base/result.ts';
import { replacedDigest } from '../../src/ledger/actions.ts';
import type { QuorumAction } from '../../src/ledger/event-schema.ts';
import { parametersAt } from '../../src/ledger/parameters.ts';
import { openProposals, readProposal } from '../../src/ledger/quorum-actions.ts';
import { nodeKey, proposalKey } from '../../src/ledger/state.ts';
import { codeOf, eventOf, joinedFields, peerOf, START, TestChain, validatorsOf, type EventFields } from './nodes.ts';

/** In the order of their peer ids, as the set has them. Four of them: a quorum is three. */
const VALIDATORS = [100, 101, 102, 103].map((number) => peerOf(number)).sort();
const [first, second, third, fourth] = VALIDATORS as [string, string, string, string];
const node = peerOf(1);
const EXPIRES = START + 1000;

const STAKED: QuorumAction = { kind: 'stakeStatusChanged', peerId: node, isStaked: true, reference: 'sepolia:0x1f' };
const REMOVED: QuorumAction = { kind: 'nodeRemoved', peerId: node, reason: 'spam' };
const TIMEOUT: QuorumAction = { kind: 'workerTimeoutSet', peerId: node, workerTimeout: START + 960 };
const PARAMETERS: QuorumAction = { kind: 'parametersChanged', parameters: { livenessWindowSeconds: 600 } };

let ledger: TestChain;
let seq: number;

beforeEach(() => {
  ledger = new TestChain(VALIDATORS);
  ledger.apply(joinedFields(node, 1));
  seq = 10;
});

function proposed(peerId: string, action: QuorumAction, more: Readonly<Record<string, unknown>> = {}): EventFields {
  const replaced = replacedDigest(ledger, action);
  const replaces = replaced.ok ? replaced.value : ZERO_HASH;
  return {
    type: 'proposed',
    peerId,
    seq: (seq += 1),
    action,
    epoch: ledger.epoch,
    replaces,
    expires: EXPIRES,
    ...more,
  };
}

/** @returns the proposal's id */
function propose(peerId: string, action: QuorumAction): Hash {
  const event = eventOf({ time: ledger.now, ...proposed(peerId, action) });
  unwrap(ledger.applyVerified(event));
  return event.id;
}

function approve(peerId: string, proposal: Hash): string {
  return codeOf(ledger.apply({ type: 'approved', peerId, seq: (seq += 1), proposal }));
}

/** Proposed by the first validator, approved by the next two. */
function decide(action: QuorumAction): Hash {
  const proposal = propose(first, action);
  expect([approve(second, proposal), approve(third, proposal)]).toEqual(['applied', 'applied']);
  return proposal;
}

describe('an action', () => {
  it('happens in the block of the approval that makes a quorum, not before', () => {
    const proposal = propose(first, STAKED);
    ledger.now += 5;
    expect(approve(second, proposal)).toBe('applied');
    expect(ledger.record(node).stake).toBeNull();
    ledger.now += 5;
    expect(approve(third, proposal)).toBe('applied');
    expect(ledger.record(node)).toMatchObject({
      stake: { isStaked: true, attestedAt: START + 10, proposal, reference: 'sepolia:0x1f' },
      lastUpdated: START + 10,
      lastHeard: START,
      lastSeq: 1,
    });
  });

  it('leaves no proposal behind once it is decided', () => {
    const proposal = decide(STAKED);
    expect(readProposal(ledger, proposal)).toBeUndefined();
    expect(openProposals(ledger, first)).toEqual([]);
    expect(approve(fourth, proposal)).toBe('proposal-unknown');
  });

  it('happens at once where one validator is a quorum', () => {
    ledger.validators = validatorsOf([first]);
    propose(first, STAKED);
    expect(ledger.record(node).stake?.isStaked).toBe(true);
  });

  it('can be undone by another', () => {
    decide(STAKED);
    decide({ ...STAKED, isStaked: false });
    expect(ledger.record(node).stake?.isStaked).toBe(false);
  });

  it('sets and clears a worker timeout', () => {
    decide(TIMEOUT);
    expect(ledger.record(node).workerTimeoutNs).toBe(BigInt(START + 960) * 1_000_000_000n);
    decide({ ...TIMEOUT, workerTimeout: 0 });
    expect(ledger.record(node).workerTimeoutNs).toBeNull();
  });

  it('about a node without a record is refused', () => {
    const unknown = { ...STAKED, peerId: peerOf(2) };
    expect(codeOf(ledger.apply(proposed(first, unknown)))).toBe('unknown-node');
  });
});

describe('a removed node', () => {
  it('keeps its number and event id, so that none of its events comes back', () => {
    const joined = eventOf(joinedFields(node, 1));
    decide(REMOVED);
    expect(ledger.entry(node)).toEqual({ kind: 'absent', peerId: node, lastSeq: 1, lastEventId: joined.id });
    expect(codeOf(ledger.applyVerified(joined))).toBe('already-applied');
    expect(codeOf(ledger.apply({ type: 'heartbeat', peerId: node, seq: 2 }))).toBe('not-joined');
  });

  it('starts from nothing when it joins again', () => {
    decide(STAKED);
    decide(REMOVED);
    ledger.now += 100;
    ledger.apply(joinedFields(node, 2));
    expect(ledger.record(node)).toMatchObject({ firstJoined: START + 100, stake: null, closedUptimeNs: 0n });
  });

  it('is not removed again by a proposal about its earlier registration', () => {
    const stale = propose(first, REMOVED);
    decide({ ...REMOVED, reason: 'another proposal' });
    ledger.now += 1;
    ledger.apply(joinedFields(node, 2));
    expect(approve(second, stale)).toBe('proposal-void');
  });
});

describe('parameters', () => {
  it('act from the next height on', () => {
    const decidedAt = ledger.height + 2;
    decide(PARAMETERS);
    expect(parametersAt(ledger, decidedAt).livenessWindowSeconds).toBe(3600);
    expect(parametersAt(ledger, decidedAt + 1).livenessWindowSeconds).toBe(600);
  });

  it('keep the rest of them, and what was decided before', () => {
    decide(PARAMETERS);
    decide({ kind: 'parametersChanged', parameters: { livenessWindowSeconds: 900 } });
    expect(parametersAt(ledger, ledger.height)).toEqual({ livenessWindowSeconds: 900, eventSchema: 1 });
  });
});

describe('a proposal', () => {
  it('is made and approved by validators of the epoch only', () => {
    expect(codeOf(ledger.apply(proposed(node, STAKED)))).toBe('not-a-validator');
    expect(approve(node, propose(first, STAKED))).toBe('not-a-validator');
  });

  it('names the present epoch', () => {
    expect(codeOf(ledger.apply(proposed(first, STAKED, { epoch: 1 })))).toBe('wrong-epoch');
  });

  it('is void when the epoch has ended', () => {
    const proposal = propose(first, STAKED);
    ledger.epoch = 1;
    ledger.validators = validatorsOf(VALIDATORS, 1);
    expect(approve(second, proposal)).toBe('wrong-epoch');
  });

  it('is void after it expires, to the second', () => {
    const proposal = propose(first, STAKED);
    ledger.now = EXPIRES;
    expect(approve(second, proposal)).toBe('applied');
    ledger.now = EXPIRES + 1;
    expect(approve(third, proposal)).toBe('proposal-expired');
    expect(codeOf(ledger.apply(proposed(first, STAKED)))).toBe('proposal-expired');
  });

  it('names the value that it replaces', () => {
    expect(codeOf(ledger.apply(proposed(first, STAKED, { replaces: 'ab'.repeat(32) })))).toBe('proposal-void');
  });

  it('is void when that value has changed', () => {
    const slower = propose(fourth, { ...STAKED, isStaked: false });
    decide(STAKED);
    expect(approve(second, slower)).toBe('proposal-void');
  });

  it('is not void because its node was heard', () => {
    const proposal = propose(first, STAKED);
    ledger.now += 1200;
    expect(codeOf(ledger.apply({ type: 'heartbeat', peerId: node, seq: 2 }))).toBe('applied');
    ledger.now = EXPIRES;
    expect(approve(second, proposal)).toBe('applied');
  });

  it('counts one approval a member, the proposer included', () => {
    const proposal = propose(first, STAKED);
    expect(approve(first, proposal)).toBe('already-approved');
    expect(approve(second, proposal)).toBe('applied');
    expect(approve(second, proposal)).toBe('already-approved');
    expect(ledger.record(node).stake).toBeNull();
  });

  it('that nobody made is unknown', () => {
    expect(approve(first, ZERO_HASH)).toBe('proposal-unknown');
  });
});

describe('open proposals', () => {
  it('are at most four a proposer', () => {
    for (let i = 0; i < 4; i++) propose(first, { ...REMOVED, reason: `${i}` });
    expect(codeOf(ledger.apply(proposed(first, STAKED)))).toBe('too-many-proposals');
    expect(codeOf(ledger.apply(proposed(second, STAKED)))).toBe('applied');
  });

  it('make room once they are void, and are gone from the state then', () => {
    const old = [0, 1, 2, 3].map((i) => propose(first, { ...REMOVED, reason: `${i}` }));
    ledger.now = EXPIRES + 1;
    const action = proposed(first, STAKED, { expires: EXPIRES + 1000 });
    expect(codeOf(ledger.apply(action))).toBe('applied');
    expect(openProposals(ledger, first)).toHaveLength(1);
    expect(old.filter((id) => ledger.get(proposalKey(id)) !== undefined)).toEqual([]);
  });
});

describe('one validator alone', () => {
  it('cannot change the record of a node, whatever it sends', () => {
    const before = ledger.get(nodeKey(node));
    const proposal = propose(first, REMOVED);
    for (let i = 0; i < 5; i++) approve(first, proposal);
    propose(first, STAKED);
    expect(ledger.get(nodeKey(node))).toBe(before);
  });
});
