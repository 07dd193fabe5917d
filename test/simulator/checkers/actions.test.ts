/** The checker of actions finds what is done without a quorum, and what a quorum decided and is not done. */
import { expect, test } from 'vitest';
import { sha256Hex, ZERO_HASH } from '../../../src/base/hash.ts';
import { utf8 } from '../../../src/base/bytes.ts';
import type { Block } from '../../../src/ledger/block.ts';
import type { QuorumAction } from '../../../src/ledger/event-schema.ts';
import { nodeEntryCodec, type NodeEntry } from '../../../src/ledger/record.ts';
import { nodeKey, PARAMETERS_KEY } from '../../../src/ledger/state.ts';
import { NO_CAPABILITIES, peerOf } from '../../ledger/nodes.ts';
import { ActionChecker } from './actions.ts';

const members = [0, 1, 2, 3].map((number) => peerOf(number));
const peerId = peerOf(1000);
const PROPOSAL = sha256Hex(utf8('a proposal'));

function recordOf(change: object = {}): NodeEntry {
  const times = { firstJoined: 1, lastJoined: 1, lastLeft: 0, lastHeard: 2, lastUpdated: 2, closedUptimeNs: 0n };
  const said = {
    multiaddrs: [],
    version: 'v1',
    ...NO_CAPABILITIES,
    isLlmServer: false,
    activity: 'joined',
    origin: 'event',
  } as const;
  const decided = { stake: null, workerTimeoutNs: null };
  return { kind: 'record', peerId, ...said, ...times, ...decided, lastSeq: 5, lastEventId: ZERO_HASH, ...change };
}

const TOMBSTONE: NodeEntry = { kind: 'absent', peerId, lastSeq: 5, lastEventId: ZERO_HASH };
const changeTo = (entry: NodeEntry) => ({ key: nodeKey(peerId), value: nodeEntryCodec.encode(entry) });

/** A proposal by the first of these members, approved by the others. */
function blockOf(action: QuorumAction, by: readonly number[]): Pick<Block, 'events'> {
  const events = by.map((member, place) => ({
    id: place === 0 ? PROPOSAL : `${place}`,
    event: {
      peerId: members[member],
      ...(place === 0 ? { type: 'proposed', action } : { type: 'approved', proposal: PROPOSAL }),
    },
  }));
  return { events } as unknown as Pick<Block, 'events'>;
}

/** After a block that holds the record. */
function checked(block: Pick<Block, 'events'>, ...changes: Parameters<ActionChecker['check']>[1]): string[] {
  const checker = new ActionChecker(members);
  expect(checker.check({ events: [] }, [changeTo(recordOf())])).toEqual([]);
  return checker.check(block, changes);
}

const REMOVE: QuorumAction = { kind: 'nodeRemoved', peerId, reason: 'gone' };
const STAKE: QuorumAction = { kind: 'stakeStatusChanged', peerId, isStaked: true, reference: 'x' };
const staked = (proposal: string) =>
  changeTo(recordOf({ stake: { isStaked: true, attestedAt: 2, proposal, reference: 'x' } }));

test('is content with what three of four decided', () => {
  expect(checked(blockOf(REMOVE, [0, 1, 2]), changeTo(TOMBSTONE))).toEqual([]);
  expect(checked(blockOf(STAKE, [3, 1, 2]), staked(PROPOSAL))).toEqual([]);
});

test('finds a removal and a stake that two of four made, one of them twice', () => {
  expect(checked(blockOf(REMOVE, [0, 1, 1]), changeTo(TOMBSTONE))).toEqual([
    'a node is removed by decision of a quorum',
  ]);
  expect(checked(blockOf(STAKE, [0, 1]), staked(PROPOSAL))).toEqual(['a stake is what a quorum decided last']);
});

test('finds a stake by another decision, a worker timeout and parameters by none', () => {
  expect(checked(blockOf(STAKE, [0, 1, 2]), staked(ZERO_HASH))).toHaveLength(1);
  const set = changeTo(recordOf({ workerTimeoutNs: 5n }));
  expect(checked({ events: [] }, set)).toEqual(['a worker timeout changes by decision of a quorum']);
  const parameters = { key: PARAMETERS_KEY, value: new Uint8Array(1) };
  expect(checked({ events: [] }, parameters)).toEqual(['parameters change by decision of a quorum']);
});

test('finds what was decided and not done, and a tombstone that forgets', () => {
  expect(checked(blockOf(REMOVE, [0, 1, 2]))).toEqual(['what a quorum decided is done in that block']);
  expect(checked(blockOf(REMOVE, [0, 1, 2]), changeTo({ ...TOMBSTONE, lastSeq: 4 }))).toEqual([
    'a tombstone keeps the last number',
  ]);
});
