import { describe, expect, it } from 'vitest';
import { ZERO_HASH } from '../../src/base/hash.ts';
import { nodeKey } from '../../src/ledger/state.ts';
import { applyEvent, TRANSIENT_REFUSALS } from '../../src/ledger/transition.ts';
import { codeOf, eventOf, joinedFields, NO_CAPABILITIES, peerOf, START, TestChain } from './nodes.ts';

const alice = peerOf(1);
const bob = peerOf(2);
const WINDOW = 3600;
const SECOND = 1_000_000_000n;

function chain(): TestChain {
  return new TestChain([peerOf(100)]);
}

function joinedChain(): TestChain {
  const joined = chain();
  joined.apply(joinedFields(alice, 1));
  return joined;
}

describe('a node that joins', () => {
  it('gets a record with what it says of itself, and times of the block', () => {
    const ledger = chain();
    const event = eventOf(joinedFields(alice, 7, { time: START - 100, isWebScraper: true }));
    ledger.now = START + 5;
    expect(codeOf(ledger.applyVerified(event))).toBe('applied');
    const now = START + 5;
    expect(ledger.record(alice)).toEqual({
      kind: 'record',
      peerId: alice,
      origin: 'event',
      multiaddrs: ['/ip4/203.0.113.20/udp/4001/quic-v1'],
      version: 'v0.8.4',
      ...NO_CAPABILITIES,
      isWebScraper: true,
      isLlmServer: false,
      stake: null,
      activity: 'joined',
      firstJoined: now,
      lastJoined: now,
      lastLeft: 0,
      lastHeard: now,
      lastUpdated: now,
      closedUptimeNs: 0n,
      workerTimeoutNs: null,
      lastSeq: 7,
      lastEventId: event.id,
    });
  });

  it('changes its own entry and nothing else', () => {
    const changes = applyEvent(chain(), eventOf(joinedFields(alice, 1)), chain().context);
    expect(changes.ok && changes.value.map(({ key }) => key)).toEqual([nodeKey(alice)]);
  });

  it.each(['left', 'heartbeat', 'addressesChanged', 'capabilitiesDeclared', 'versionChanged'])(
    'does so before it sends %s',
    (type) => {
      const more = {
        ...(type === 'addressesChanged' ? { multiaddrs: [] } : {}),
        ...(type === 'capabilitiesDeclared' ? NO_CAPABILITIES : {}),
        ...(type === 'versionChanged' ? { version: 'v1' } : {}),
      };
      expect(codeOf(chain().apply({ type, peerId: alice, seq: 1, ...more }))).toBe('not-joined');
      const left = joinedChain();
      left.apply({ type: 'left', peerId: alice, seq: 2 });
      expect(codeOf(left.apply({ type, peerId: alice, seq: 3, ...more }))).toBe('not-joined');
    },
  );
});

describe('what a node says of itself later', () => {
  it('replaces addresses, capabilities and version, one event each', () => {
    const ledger = joinedChain();
    ledger.now += 10;
    ledger.apply({
      type: 'addressesChanged',
      peerId: alice,
      seq: 2,
      multiaddrs: [`/dns4/a.example/tcp/1/p2p/${alice}`],
    });
    ledger.apply({ type: 'capabilitiesDeclared', peerId: alice, seq: 3, ...NO_CAPABILITIES, isDiscordScraper: true });
    ledger.apply({ type: 'versionChanged', peerId: alice, seq: 4, version: 'v0.9.0' });
    expect(ledger.record(alice)).toMatchObject({
      multiaddrs: ['/dns4/a.example/tcp/1'],
      isDiscordScraper: true,
      version: 'v0.9.0',
      lastHeard: START + 10,
      lastUpdated: START + 10,
      firstJoined: START,
      lastSeq: 4,
    });
  });

  it('never makes a record of more than 4 KiB', () => {
    const ledger = joinedChain();
    const multiaddrs = Array.from({ length: 16 }, (_, i) => `/dns4/${String(i).padStart(245, 'a')}`);
    const before = ledger.get(nodeKey(alice));
    expect(codeOf(ledger.apply({ type: 'addressesChanged', peerId: alice, seq: 2, multiaddrs }))).toBe(
      'record-too-large',
    );
    expect(ledger.get(nodeKey(alice))).toBe(before);
  });
});

describe('the sequence of a node', () => {
  it('applies any greater number, gaps and all', () => {
    const ledger = joinedChain();
    expect(codeOf(ledger.apply({ type: 'left', peerId: alice, seq: 1_724_673_600_123 }))).toBe('applied');
    expect(codeOf(ledger.apply(joinedFields(alice, Number.MAX_SAFE_INTEGER)))).toBe('applied');
  });

  it('tells the same event again from a lower number and from another event of the same number', () => {
    const ledger = joinedChain();
    const second = eventOf({ type: 'left', peerId: alice, seq: 2 });
    ledger.applyVerified(second);
    expect(codeOf(ledger.applyVerified(second))).toBe('already-applied');
    expect(codeOf(ledger.apply(joinedFields(alice, 1)))).toBe('superseded');
    expect(ledger.apply(joinedFields(alice, 2))).toMatchObject({
      refusal: { code: 'sequence-conflict', details: { seq: 2, applied: second.id } },
    });
  });

  it('answers a duplicate before its time is judged', () => {
    const ledger = chain();
    const event = eventOf(joinedFields(alice, 1));
    ledger.applyVerified(event);
    ledger.now += 86_400;
    expect(codeOf(ledger.applyVerified(event))).toBe('already-applied');
  });

  it('is the same event whatever its signature', () => {
    const ledger = chain();
    const event = eventOf(joinedFields(alice, 1));
    ledger.applyVerified(event);
    expect(codeOf(ledger.applyVerified({ ...event, signature: new Uint8Array(64) }))).toBe('already-applied');
  });
});

describe('the time of an event', () => {
  it.each([
    [-601, 'expired'],
    [-600, 'applied'],
    [600, 'applied'],
    [601, 'time-ahead'],
  ])('%i s from the block: %s', (seconds, code) => {
    expect(codeOf(chain().apply(joinedFields(alice, 1, { time: START + seconds })))).toBe(code);
  });

  it('is the one thing that a later block may judge differently', () => {
    expect([...TRANSIENT_REFUSALS]).toEqual(['time-ahead']);
  });
});

describe('a heartbeat', () => {
  it.each([
    [WINDOW / 3 - 1, 'heartbeat-too-soon'],
    [WINDOW / 3, 'applied'],
  ])('%i s after the last event: %s', (seconds, code) => {
    const ledger = joinedChain();
    ledger.now += seconds;
    expect(codeOf(ledger.apply({ type: 'heartbeat', peerId: alice, seq: 2 }))).toBe(code);
  });

  it('moves lastHeard and lastUpdated, and the open session with them', () => {
    const ledger = joinedChain();
    ledger.now += 2000;
    ledger.apply({ type: 'heartbeat', peerId: alice, seq: 2 });
    expect(ledger.record(alice)).toMatchObject({ lastJoined: START, lastHeard: START + 2000, closedUptimeNs: 0n });
  });
});

describe('a session', () => {
  it('closes when the node leaves', () => {
    const ledger = joinedChain();
    ledger.now += 1000;
    ledger.apply({ type: 'left', peerId: alice, seq: 2 });
    expect(ledger.record(alice)).toMatchObject({
      activity: 'left',
      lastLeft: START + 1000,
      closedUptimeNs: 1000n * SECOND,
    });
  });

  it('closes one window after the node was last heard, when it leaves later', () => {
    const ledger = joinedChain();
    ledger.now += 10 * WINDOW;
    ledger.apply({ type: 'left', peerId: alice, seq: 2 });
    expect(ledger.record(alice).closedUptimeNs).toBe(BigInt(WINDOW) * SECOND);
  });

  it('closes and opens anew when a node that crashed joins again', () => {
    const ledger = joinedChain();
    ledger.now += 500;
    ledger.apply(joinedFields(alice, 2));
    expect(ledger.record(alice)).toMatchObject({
      firstJoined: START,
      lastJoined: START + 500,
      lastLeft: 0,
      closedUptimeNs: 500n * SECOND,
    });
  });

  it('lapses in a silence, and the next event opens another', () => {
    const ledger = joinedChain();
    ledger.now += 5 * WINDOW;
    ledger.apply({ type: 'versionChanged', peerId: alice, seq: 2, version: 'v1' });
    expect(ledger.record(alice)).toMatchObject({
      activity: 'joined',
      lastJoined: START + 5 * WINDOW,
      closedUptimeNs: BigInt(WINDOW) * SECOND,
    });
  });

  it('goes on in a silence of exactly the window', () => {
    const ledger = joinedChain();
    ledger.now += WINDOW;
    ledger.apply({ type: 'heartbeat', peerId: alice, seq: 2 });
    expect(ledger.record(alice)).toMatchObject({ lastJoined: START, closedUptimeNs: 0n });
  });

  it('counts no time between leaving and joining', () => {
    const ledger = joinedChain();
    ledger.now += 100;
    ledger.apply({ type: 'left', peerId: alice, seq: 2 });
    ledger.now += 50_000;
    ledger.apply(joinedFields(alice, 3));
    ledger.now += 200;
    ledger.apply({ type: 'left', peerId: alice, seq: 4 });
    expect(ledger.record(alice).closedUptimeNs).toBe(300n * SECOND);
  });
});

describe('a validator that never joined', () => {
  it('is numbered without a record, and cannot replay its own events', () => {
    const validator = peerOf(100);
    const ledger = chain();
    ledger.apply(joinedFields(bob, 1));
    const action = { kind: 'stakeStatusChanged', peerId: bob, isStaked: true, reference: 'x' };
    const proposal = {
      type: 'proposed',
      peerId: validator,
      seq: 5,
      action,
      epoch: 0,
      replaces: ZERO_HASH,
      expires: START,
    };
    expect(codeOf(ledger.apply(proposal))).toBe('applied');
    expect(ledger.entry(validator)).toMatchObject({ kind: 'absent', lastSeq: 5 });
    expect(codeOf(ledger.apply(proposal))).toBe('already-applied');
    expect(codeOf(ledger.apply(joinedFields(validator, 6)))).toBe('applied');
    expect(ledger.record(validator).lastSeq).toBe(6);
  });
});
