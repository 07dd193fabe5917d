import { describe, expect, test } from 'vitest';
import { utf8 } from '../../../src/base/bytes.ts';
import { Random } from '../../../src/base/random.ts';
import { refuse, type Result } from '../../../src/base/result.ts';
import { Adversaries, adversaryKeys } from '../../../src/cli/devnet/adversaries.ts';
import { forge, FORGERIES, type Forgery, type ForgeryKind } from '../../../src/cli/devnet/forgery.ts';
import type { Outcome } from '../../../src/cli/devnet/settle.ts';
import { checkSubmitterClock } from '../../../src/ledger/admission-time.ts';
import { decodeSignedEvent, signedEventFromJsonText, verifyEventSignature } from '../../../src/ledger/event.ts';
import { nobleVerifier } from '../../../src/ledger/signature-noble.ts';
import { identityKeyFromSecret, type IdentityKey } from '../../../src/node/keys.ts';
import { signEvent } from '../../../src/node/sign-event.ts';

const CHAIN = `devnet-${'0'.repeat(32)}`;
const NOW_MS = 1_724_673_600_000;
const key = (number: number): IdentityKey => identityKeyFromSecret('ed25519', new Random(number).bytes(32));
const HONEST = key(1);

function heartbeat(seq: number) {
  const event = { type: 'heartbeat', peerId: HONEST.peerId, seq, time: Math.floor(NOW_MS / 1000) } as const;
  return signEvent(HONEST, CHAIN, event);
}

function forged(kind: ForgeryKind): Forgery {
  const context = { chainId: CHAIN, key: key(2), victim: HONEST.peerId, superseded: heartbeat(1), nowMs: NOW_MS };
  return forge(kind, context) as Forgery;
}

/** What an event is refused for that needs no state; undefined: for nothing. */
function refusedFor({ by, event }: Forgery): string | undefined {
  const decoded =
    by === 'relay'
      ? decodeSignedEvent(CHAIN, event.bytes)
      : signedEventFromJsonText(CHAIN, utf8(JSON.stringify(event.submission)));
  if (!decoded.ok) return decoded.refusal.code;
  const checks: Result<void>[] = [
    verifyEventSignature(CHAIN, decoded.value, nobleVerifier),
    checkSubmitterClock(decoded.value.event, NOW_MS / 1000),
  ];
  return checks.find((check) => !check.ok)?.refusal?.code;
}

describe('a forgery', () => {
  test.each<[ForgeryKind, string | undefined]>([
    ['another-peer', 'signature-invalid'],
    ['forged-signature', 'signature-invalid'],
    ['future-time', 'clock-skew'],
    ['milliseconds', 'time-unit'],
    ['foreign-address', 'eth-address-not-yours'],
    ['self-made-stake', 'field-not-yours'],
    ['self-made-validator', 'field-not-yours'],
    ['oversize', 'too-large'],
    // Well formed: what refuses these is the state.
    ['replay', undefined],
    ['usurped-vote', undefined],
  ])('of kind %s is wrong in one thing: %s', (kind, code) => {
    expect(refusedFor(forged(kind))).toBe(code);
  });

  test('there is one of every kind, but no replay before there is something to replay', () => {
    for (const kind of FORGERIES) expect(forged(kind)).toMatchObject({ kind });
    const context = { chainId: CHAIN, key: key(2), victim: HONEST.peerId, superseded: undefined, nowMs: NOW_MS };
    expect(forge('replay', context)).toBeUndefined();
  });
});

describe('adversaries', () => {
  async function attempts(answer: Outcome, count: number) {
    const stop = new AbortController();
    let asked = 0;
    const adversaries = new Adversaries({
      chainId: CHAIN,
      keys: [key(2)],
      victims: [HONEST.peerId],
      random: new Random(1),
      pauseMs: 1,
      submit: () => {
        if (++asked === count) stop.abort();
        return Promise.resolve(answer);
      },
    });
    await adversaries.run(stop.signal);
    return adversaries.counts();
  }

  test('count refusals by code', async () => {
    const { refusal } = refuse('field-not-yours', 'no');
    const counts = await attempts({ kind: 'refused', refusal }, 5);
    expect(counts).toMatchObject({ adversaries: 1, accepted: [], answeredAsBefore: 0 });
    expect(counts.refusedBy).toEqual({ 'field-not-yours': counts.refused });
    expect(counts.refused).toBeGreaterThanOrEqual(4);
  });

  test('name what was acknowledged', async () => {
    const { accepted, refused } = await attempts({ kind: 'acknowledged' }, 3);
    expect(accepted.slice(0, 2)).toEqual(['another-peer', 'forged-signature']);
    expect(refused).toBe(0);
  });

  test('count no attempt that was not answered for good', async () => {
    const { refusal } = refuse('no-quorum', 'retry');
    for (const outcome of [{ kind: 'refused', refusal } as const, { kind: 'unanswered', reason: 'down' } as const]) {
      expect(await attempts(outcome, 3)).toMatchObject({ attempts: 0, refused: 0, accepted: [] });
    }
  });

  test('are a share of the nodes, at least one, and none when there shall be none', () => {
    expect([0, 0.001, 0.1, 1].map((share) => adversaryKeys(share, 40).length)).toEqual([0, 1, 4, 16]);
  });
});
