import { describe, expect, test } from 'vitest';
import { refuse } from '../../../src/base/result.ts';
import { unwrap } from '../../../src/base/result.ts';
import { Drive } from '../../../src/cli/devnet/drive.ts';
import { DEFAULT_MIX } from '../../../src/cli/devnet/mix.ts';
import type { Outcome } from '../../../src/cli/devnet/settle.ts';
import { Population } from '../../../src/cli/devnet/population.ts';
import { simulatedKeys } from '../../../src/cli/devnet/simulated-keys.ts';
import { decodeSignedEvent, signedEventFromJson } from '../../../src/ledger/event.ts';
import type { OwnSignedEvent } from '../../../src/node/sign-event.ts';

const CHAIN = `devnet-${'0'.repeat(32)}`;
const SEED = new Uint8Array(32).fill(7);

function driveOf(nodes: number, submit: (node: number, event: OwnSignedEvent) => Promise<Outcome>) {
  const keys = simulatedKeys(SEED, nodes, 0.5);
  const population = new Population({
    nodes,
    seed: 1,
    mix: DEFAULT_MIX,
    speed: 100_000,
    livenessWindowSeconds: 3600,
    relayPeerId: keys[0]?.peerId ?? '',
    nowMs: Date.now(),
  });
  return { keys, drive: new Drive({ population, keys, lastSeq: new Map(), chainId: CHAIN, submit }) };
}

/** Runs the drive until the fact is true. */
async function runUntil(drive: Drive, fact: () => boolean): Promise<void> {
  const stop = new AbortController();
  const watch = setInterval(() => {
    if (fact()) stop.abort();
  }, 5);
  await drive.run(stop.signal, 5_000);
  clearInterval(watch);
}

describe('driving a population', () => {
  test('signs events that both forms of submission decode to, with rising numbers for each node', async () => {
    const seen: OwnSignedEvent[] = [];
    const { drive } = driveOf(4, (_node, event) => {
      seen.push(event);
      return Promise.resolve({ kind: 'acknowledged' });
    });
    await runUntil(drive, () => seen.length >= 40);
    const lastSeq = new Map<string, number>();
    for (const { bytes, event, id, submission } of seen) {
      expect(unwrap(decodeSignedEvent(CHAIN, bytes)).id).toBe(id);
      expect(unwrap(signedEventFromJson(CHAIN, JSON.parse(JSON.stringify(submission)))).id).toBe(id);
      expect(event.seq).toBeGreaterThan(lastSeq.get(event.peerId) ?? 0);
      lastSeq.set(event.peerId, event.seq);
    }
    expect(drive.acknowledgedSeq()).toEqual(lastSeq);
    expect(drive.counts()).toEqual({ submitted: seen.length, acknowledged: seen.length, refused: 0, unanswered: 0 });
  });

  test('repeats the same event until it is answered for good', async () => {
    const asked = new Map<string, number>();
    const outcomes: Outcome[] = [
      { kind: 'unanswered', reason: 'the stream was closed' },
      { kind: 'refused', refusal: refuse('no-quorum', 'retry').refusal },
      { kind: 'acknowledged' },
    ];
    const { drive } = driveOf(1, (_node, { id }) => {
      const times = asked.get(id) ?? 0;
      asked.set(id, times + 1);
      return Promise.resolve(outcomes[times] as Outcome);
    });
    await runUntil(drive, () => drive.counts().acknowledged === 1);
    expect([...asked.values()][0]).toBe(3);
  });

  test('counts refusals by code and goes on', async () => {
    const { drive } = driveOf(2, () =>
      Promise.resolve({ kind: 'refused', refusal: refuse('not-joined', 'the node has not joined').refusal }),
    );
    await runUntil(drive, () => drive.counts().refused >= 5);
    expect(drive.counts().acknowledged).toBe(0);
    expect(drive.refusals()).toEqual({ 'not-joined': drive.counts().refused });
  });
});

describe('simulated keys', () => {
  test('are the same at each start, of both types, and each its own', () => {
    const keys = simulatedKeys(SEED, 40, 0.8);
    expect(simulatedKeys(SEED, 40, 0.8).map(({ peerId }) => peerId)).toEqual(keys.map(({ peerId }) => peerId));
    expect(new Set(keys.map(({ peerId }) => peerId)).size).toBe(40);
    const secp256k1 = keys.filter(({ keyType }) => keyType === 'secp256k1').length;
    expect(secp256k1).toBeGreaterThan(22);
    expect(secp256k1).toBeLessThan(40);
  });
});
