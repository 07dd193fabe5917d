import { describe, expect, test } from 'vitest';
import { concatBytes } from '../../src/base/bytes.ts';
import { ok, refuse, unwrap } from '../../src/base/result.ts';
import { decodeSignedEvent, encodeSignedEvent } from '../../src/ledger/event.ts';
import { EventVerifier, type EventVerifierOptions } from '../../src/node/event-verifier.ts';
import { noVotesToJudge } from '../../src/node/raft/evidence.ts';
import { verifyHere, verifyNative } from '../../src/node/signature-native.ts';
import { CHAIN_ID, peerOf } from '../ledger/nodes.ts';
import { codeOf } from '../qc/refusal.ts';
import { JOINED, testNode } from './signed.ts';

function verifierWith(options: Partial<EventVerifierOptions> = {}): EventVerifier {
  return new EventVerifier({
    chainId: CHAIN_ID,
    verifySignature: verifyNative,
    checkEvidence: () => Promise.resolve(ok(undefined)),
    maxRemembered: 100,
    ...options,
  });
}

describe.each(['ed25519', 'secp256k1'] as const)('the signature of an event by an %s key', (keyType) => {
  test('is checked once, however often it comes', async () => {
    const verifier = verifierWith();
    const event = testNode(CHAIN_ID, keyType).sign(JOINED);
    const together = await Promise.all([verifier.verify(event), verifier.verify(event)]);
    expect(together.map(codeOf)).toEqual(['accepted', 'accepted']);
    expect(unwrap(await verifier.verify(event)).id).toBe(event.id);
    expect(verifier.checks).toBe(1);
  });

  test('is refused when it is of another chain, and remembered of none', async () => {
    const verifier = verifierWith();
    const foreign = testNode('other-0123456789abcdef0123456789abcdef', keyType).own(JOINED);
    const event = unwrap(decodeSignedEvent(CHAIN_ID, foreign.bytes));
    for (const checks of [1, 2]) {
      expect(codeOf(await verifier.verify(event))).toBe('signature-invalid');
      expect(verifier.checks).toBe(checks);
    }
  });
});

describe('an event verifier', () => {
  test('checks a known id again when it comes with another signature', async () => {
    const verifier = verifierWith();
    const node = testNode(CHAIN_ID);
    const event = node.sign(JOINED);
    expect(codeOf(await verifier.verify(event))).toBe('accepted');
    const other = node.sign({ type: 'heartbeat' }, 2);
    const forged = unwrap(decodeSignedEvent(CHAIN_ID, encodeSignedEvent(event.json, other.signature)));
    expect(forged.id).toBe(event.id);
    expect(codeOf(await verifier.verify(forged))).toBe('signature-invalid');
    expect(codeOf(await verifier.verify(event))).toBe('accepted');
    expect(verifier.checks).toBe(2);
  });

  test('decodes what it has checked no second time, and with another signature anew', async () => {
    const verifier = verifierWith();
    const node = testNode(CHAIN_ID);
    const event = node.sign(JOINED);
    expect(unwrap(verifier.decode(CHAIN_ID, event.bytes))).not.toBe(event);
    const verified = unwrap(await verifier.verify(event));
    expect(unwrap(verifier.decode(CHAIN_ID, event.bytes.slice()))).toBe(verified);
    const forged = encodeSignedEvent(event.json, node.sign({ type: 'heartbeat' }, 2).signature);
    expect(unwrap(verifier.decode(CHAIN_ID, forged))).not.toBe(verified);
  });

  test('forgets what is committed, and only that', async () => {
    const verifier = verifierWith();
    const [committed, waiting] = [testNode(CHAIN_ID).sign(JOINED), testNode(CHAIN_ID).sign(JOINED)];
    for (const event of [committed, waiting]) await verifier.verify(event);
    verifier.forget([committed]);
    await verifier.verify(waiting);
    expect(verifier.checks).toBe(2);
    await verifier.verify(committed);
    expect(verifier.checks).toBe(3);
  });

  test("refuses an event that was signed by another peer's key", async () => {
    const verifier = verifierWith();
    const [a, b] = [testNode(CHAIN_ID), testNode(CHAIN_ID)];
    const event = a.sign(JOINED);
    const signature = b.key.sign(concatBytes(event.json));
    const forged = unwrap(decodeSignedEvent(CHAIN_ID, encodeSignedEvent(event.json, signature)));
    expect(codeOf(await verifier.verify(forged))).toBe('signature-invalid');
  });

  test('verifies a list, or tells the first refusal', async () => {
    const verifier = verifierWith();
    const events = [1, 2, 3].map(() => testNode(CHAIN_ID).sign(JOINED));
    expect(unwrap(await verifier.verifyAll(events)).map(({ id }) => id)).toEqual(events.map(({ id }) => id));
    const foreign = testNode('other-0123456789abcdef0123456789abcdef').own(JOINED);
    const bad = unwrap(decodeSignedEvent(CHAIN_ID, foreign.bytes));
    expect(codeOf(await verifier.verifyAll([...events, bad]))).toBe('signature-invalid');
    expect(unwrap(await verifier.verifyAll([]))).toEqual([]);
    expect(verifier.checks).toBe(4);
  });

  test('takes no evidence where nobody signs votes', async () => {
    const verifier = verifierWith({ checkEvidence: noVotesToJudge });
    const body = { type: 'evidenceRecorded', epoch: 0, offender: peerOf(1), evidence: 'AAAA' } as const;
    expect(codeOf(await verifier.verify(testNode(CHAIN_ID).sign(body)))).toBe('evidence-without-votes');
  });

  test('asks for evidence only after the signature, and remembers nothing that it refuses', async () => {
    const asked: string[] = [];
    const verifier = verifierWith({
      checkEvidence(event) {
        asked.push(event.peerId);
        return Promise.resolve(refuse('evidence-invalid', 'text'));
      },
    });
    const node = testNode(CHAIN_ID);
    const body = { type: 'evidenceRecorded', epoch: 0, offender: peerOf(1), evidence: 'AAAA' } as const;
    const event = node.sign(body);
    expect(codeOf(await verifier.verify(event))).toBe('evidence-invalid');
    expect(codeOf(await verifier.verify(event))).toBe('evidence-invalid');
    const unsigned = unwrap(decodeSignedEvent(CHAIN_ID, encodeSignedEvent(event.json, node.sign(body, 2).signature)));
    expect(codeOf(await verifier.verify(unsigned))).toBe('signature-invalid');
    expect(asked).toEqual([node.peerId, node.peerId]);
    expect(codeOf(await verifier.verify(testNode(CHAIN_ID).sign(JOINED)))).toBe('accepted');
    expect(asked).toHaveLength(2);
  });

  test('remembers a bounded number', async () => {
    const verifier = verifierWith({ maxRemembered: 2 });
    const events = [1, 2, 3].map(() => testNode(CHAIN_ID).sign(JOINED));
    for (const event of events) await verifier.verify(event);
    await verifier.verify(events[2]!);
    expect(verifier.checks).toBe(3);
    await verifier.verify(events[0]!);
    expect(verifier.checks).toBe(4);
  });

  test('goes on after a check that failed by itself', async () => {
    let broken = true;
    const verifier = verifierWith({
      verifySignature: (identity, message, signature) =>
        broken
          ? Promise.reject(new Error('out of threads'))
          : Promise.resolve(verifyHere(identity, message, signature)),
    });
    const event = testNode(CHAIN_ID).sign(JOINED);
    await expect(verifier.verify(event)).rejects.toThrow('out of threads');
    broken = false;
    expect(codeOf(await verifier.verify(event))).toBe('accepted');
  });
});
