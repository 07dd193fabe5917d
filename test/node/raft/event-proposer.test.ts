import { beforeEach, describe, expect, test } from 'vitest';
import type { Hash } from '../../../src/base/hash.ts';
import { refuse, unwrap, type Refusal } from '../../../src/base/result.ts';
import { decodeCommand, MAX_COMMAND_BYTES } from '../../../src/ledger/raft-command.ts';
import type { EventOutcome } from '../../../src/ledger/raft-chain.ts';
import type { VerifiedEvent } from '../../../src/ledger/verified-event.ts';
import { DEFAULT_PROPOSER_LIMITS, EventProposer, type ProposerLimits } from '../../../src/node/raft/event-proposer.ts';
import type { LedgerOutcome } from '../../../src/node/raft/ledger-outcome.ts';
import type { Settle } from '../../../src/node/raft/proposals.ts';
import { codeOf } from '../../ledger/nodes.ts';
import { Cluster } from '../../ledger/raft-cluster.ts';
import { eventually } from './cluster.ts';

const cluster = new Cluster();
const NOW_MS = 1_724_700_000_500;

let proposed: { data: Uint8Array; settle: Settle<LedgerOutcome> }[];
let rejected: [Hash, string][];

beforeEach(() => {
  proposed = [];
  rejected = [];
});

function proposer(limits: Partial<ProposerLimits> = {}): EventProposer {
  return new EventProposer({
    propose: (data, settle) => void proposed.push({ data, settle }),
    nowMs: () => NOW_MS,
    limits: { ...DEFAULT_PROPOSER_LIMITS, ...limits },
    rejected: (event, { code }) => void rejected.push([event, code]),
  });
}

const events = (count: number): readonly VerifiedEvent[] =>
  Array.from({ length: count }, (_, node) => cluster.join(node + 1));

function sizes(): readonly number[] {
  return proposed.map(({ data }) => {
    const command = unwrap(decodeCommand(data));
    return command.kind === 'events' ? command.events.length : 0;
  });
}

function blockOf(refusals: readonly (Refusal | null)[], all: readonly VerifiedEvent[]): LedgerOutcome {
  const outcomes: EventOutcome[] = all.map(({ id }, place) => ({ id, refusal: refusals[place] ?? null }));
  return { kind: 'block', committed: null as never, events: outcomes, refusal: null };
}

function settle(place: number, outcome: LedgerOutcome): void {
  proposed[place]?.settle({ ok: true, value: { index: place, outcome } });
}

const BLOCK = (): LedgerOutcome => blockOf([], []);

describe('events that were admitted together', () => {
  test('go into one command, in their order, with the time of the clock', async () => {
    const some = events(5);
    const own = proposer();
    for (const event of some) unwrap(own.admit(event));
    expect(proposed).toEqual([]);
    await eventually('a command', () => proposed.length > 0);
    const command = unwrap(decodeCommand(proposed[0]?.data ?? null));
    expect(command).toEqual({ kind: 'events', timeSeconds: 1_724_700_000, events: some.map(({ bytes }) => bytes) });
  });

  test('wait while as many commands as allowed are under way, and go on when one is settled', async () => {
    const own = proposer({ maxCommandsInFlight: 1 });
    for (const event of events(2)) own.admit(event);
    await eventually('the first command', () => proposed.length === 1);
    for (const event of events(3)) own.admit(event);
    settle(0, BLOCK());
    await eventually('the second command', () => proposed.length === 2);
    expect(sizes()).toEqual([2, 3]);
  });

  test('are as many as a command may hold, by count and by bytes, and one at least', async () => {
    const byCount = proposer({ maxEventsPerCommand: 2, maxCommandsInFlight: 9 });
    for (const event of events(5)) byCount.admit(event);
    await eventually('three commands', () => proposed.length === 3);
    expect(sizes()).toEqual([2, 2, 1]);
    proposed = [];
    const [{ bytes }] = events(1) as [VerifiedEvent];
    const byBytes = proposer({ maxBytesPerCommand: 32 + 2 * (bytes.length + 5), maxCommandsInFlight: 9 });
    for (const event of events(5)) byBytes.admit(event);
    await eventually('three commands', () => proposed.length === 3);
    expect(sizes()).toEqual([2, 2, 1]);
    for (const { data } of proposed) expect(data.length).toBeLessThanOrEqual(32 + 2 * (bytes.length + 5));
    proposed = [];
    const tiny = proposer({ maxBytesPerCommand: 1, maxCommandsInFlight: 9 });
    for (const event of events(2)) tiny.admit(event);
    await eventually('two commands', () => proposed.length === 2);
    expect(DEFAULT_PROPOSER_LIMITS.maxBytesPerCommand).toBeLessThanOrEqual(MAX_COMMAND_BYTES);
  });

  test('are refused when too many wait', async () => {
    const own = proposer({ maxWaitingEvents: 2 });
    expect(events(3).map((event) => codeOf(own.admit(event)))).toEqual(['applied', 'applied', 'busy']);
    await eventually('what was taken is proposed', () => proposed.length === 1);
    expect(sizes()).toEqual([2]);
  });
});

describe('what became of a command', () => {
  async function underWay(count: number): Promise<readonly VerifiedEvent[]> {
    const some = events(count);
    const own = proposer();
    for (const event of some) own.admit(event);
    await eventually('the command', () => proposed.length === 1);
    return some;
  }

  test('is told of each event that is in no block by it', async () => {
    const some = await underWay(3);
    settle(0, blockOf([null, refuse('not-joined', '').refusal, refuse('already-applied', '').refusal], some));
    expect(rejected).toEqual([
      [some[1]?.id, 'not-joined'],
      [some[2]?.id, 'already-applied'],
    ]);
  });

  test('is told of all of them where the command was not written, or nobody knows', async () => {
    const some = await underWay(2);
    proposed[0]?.settle(refuse('leadership-lost', 'somebody else leads'));
    expect(rejected).toEqual(some.map(({ id }) => [id, 'leadership-lost']));
  });

  test('is told of all of them where it changed nothing', async () => {
    const some = await underWay(2);
    settle(0, { kind: 'value', refusal: refuse('before-base', '').refusal });
    expect(rejected).toEqual(some.map(({ id }) => [id, 'before-base']));
  });
});
