import { beforeEach, describe, expect, test } from 'vitest';
import { ok, unwrap } from '../../src/base/result.ts';
import type { VerifiedEvent } from '../../src/ledger/verified-event.ts';
import { EventRelay } from '../../src/node/event-relay.ts';
import { EventVerifier } from '../../src/node/event-verifier.ts';
import { decodePeerFrame } from '../../src/node/peer-frame.ts';
import { verifyNative } from '../../src/node/signature-native.ts';
import { CHAIN_ID } from '../ledger/nodes.ts';
import { JOINED, testNode } from './signed.ts';

let submitted: (readonly VerifiedEvent[])[];
let frames: Uint8Array[];
let rejected: string[];
let refused: string[];
let hasRoom: boolean;
let relay: EventRelay;
let verifier: EventVerifier;

beforeEach(() => {
  submitted = [];
  frames = [];
  rejected = [];
  refused = [];
  hasRoom = true;
  verifier = new EventVerifier({
    chainId: CHAIN_ID,
    verifySignature: verifyNative,
    checkEvidence: () => Promise.resolve(ok(undefined)),
    maxRemembered: 10_000,
  });
  relay = relayWith(verifier);
});

function relayWith(checking: Pick<EventVerifier, 'verify'>): EventRelay {
  return new EventRelay({
    chainId: CHAIN_ID,
    verifier: { decode: verifier.decode, verify: (event) => checking.verify(event) },
    submit(events) {
      if (hasRoom) submitted.push(events);
      return hasRoom;
    },
    broadcast: (frame) => frames.push(frame),
    onRejected: ({ id }, { code }) => rejected.push(`${id} ${code}`),
    onRefused: (peerId, { code }) => refused.push(`${peerId} ${code}`),
  });
}

async function verifiedEvents(count: number): Promise<VerifiedEvent[]> {
  const events = Array.from({ length: count }, () => testNode(CHAIN_ID).sign(JOINED));
  return [...unwrap(await verifier.verifyAll(events))];
}

const tick = () => new Promise((resolve) => setImmediate(resolve));

describe('an event relay', () => {
  test('hands on all that is admitted in one tick together, to the engine and to the others', async () => {
    const events = await verifiedEvents(3);
    for (const event of events) expect(relay.admit(event).ok).toBe(true);
    expect(submitted).toEqual([]);
    await tick();
    expect(submitted).toEqual([events]);
    expect(frames.map((frame) => unwrap(decodePeerFrame(frame)))).toEqual([
      { kind: 'events', events: events.map(({ bytes }) => bytes) },
    ]);
    await tick();
    expect(submitted).toHaveLength(1);
  });

  test('tells of admitted events that the engine had no room for, and sends them to nobody', async () => {
    const events = await verifiedEvents(2);
    hasRoom = false;
    for (const event of events) relay.admit(event);
    await tick();
    expect(rejected).toEqual(events.map(({ id }) => `${id} busy`));
    expect(frames).toEqual([]);
  });

  test('admits a bounded number in one tick', async () => {
    const [event] = await verifiedEvents(1);
    const answers = Array.from({ length: 16_385 }, () => relay.admit(event!));
    expect(answers.findIndex(({ ok: isOk }) => !isOk)).toBe(16_384);
    expect(answers[16_384]).toMatchObject({ refusal: { code: 'busy' } });
    await tick();
    expect(submitted.map(({ length }) => length)).toEqual([16_384]);
  });

  test('checks what others send and hands the good ones on, to the engine only', async () => {
    const good = testNode(CHAIN_ID).own(JOINED);
    const foreign = testNode('other-0123456789abcdef0123456789abcdef').own(JOINED);
    await relay.receive('peer', [good.bytes, foreign.bytes, Uint8Array.of(1, 2, 3)]);
    expect(submitted.map((events) => events.map(({ id }) => id))).toEqual([[good.id]]);
    expect(refused.sort()).toEqual(['peer signature-invalid', 'peer undecodable']);
    expect(frames).toEqual([]);
    await relay.receive('peer', [foreign.bytes]);
    expect(submitted).toHaveLength(1);
  });

  test('holds each validator to a bound of events under check', async () => {
    const gate = Promise.withResolvers<void>();
    const held = relayWith({
      async verify(event) {
        await gate.promise;
        return verifier.verify(event);
      },
    });
    const { bytes } = testNode(CHAIN_ID).own(JOINED);
    const first = held.receive('a', Array<Uint8Array>(4000).fill(bytes));
    await held.receive('a', Array<Uint8Array>(97).fill(bytes));
    expect(submitted).toEqual([]);
    const small = [held.receive('a', Array<Uint8Array>(96).fill(bytes)), held.receive('b', [bytes])];
    gate.resolve();
    await Promise.all([first, ...small]);
    expect(submitted.map(({ length }) => length).sort((a, b) => a - b)).toEqual([1, 96, 4000]);
    await held.receive('a', Array<Uint8Array>(97).fill(bytes));
    expect(submitted).toHaveLength(4);
  });

  test('gives a share back when a check fails by itself', async () => {
    let isBroken = true;
    const fragile = relayWith({
      verify: (event) => (isBroken ? Promise.reject(new Error('closed')) : verifier.verify(event)),
    });
    const { bytes } = testNode(CHAIN_ID).own(JOINED);
    await expect(fragile.receive('a', Array<Uint8Array>(4096).fill(bytes))).rejects.toThrow('closed');
    isBroken = false;
    await fragile.receive('a', [bytes]);
    expect(submitted).toHaveLength(1);
  });
});
