import { describe, expect, test } from 'vitest';
import { ZERO_HASH } from '../../../src/base/hash.ts';
import { Random } from '../../../src/base/random.ts';
import { refuse } from '../../../src/base/result.ts';
import type { Outcome } from '../../../src/cli/devnet/settle.ts';
import { Stakes } from '../../../src/cli/devnet/stakes.ts';
import { identityKeyFromSecret } from '../../../src/node/keys.ts';
import type { OwnSignedEvent } from '../../../src/node/sign-event.ts';

const VALIDATORS = [1, 2, 3, 4].map((seed) => identityKeyFromSecret('ed25519', new Random(seed).bytes(32)));
const ACKNOWLEDGED: Outcome = { kind: 'acknowledged' };

async function staked(peerIds: readonly string[], answer: (event: OwnSignedEvent) => Outcome, events: number) {
  const stop = new AbortController();
  const sent: { readonly validator: number; readonly event: OwnSignedEvent }[] = [];
  const stakes = new Stakes({
    chainId: `devnet-${'0'.repeat(32)}`,
    validators: VALIDATORS,
    pauseMs: 1,
    submit: (validator, event) => {
      sent.push({ validator, event });
      if (sent.length === events) setImmediate(() => stop.abort());
      return Promise.resolve(answer(event));
    },
  });
  for (const peerId of peerIds) stakes.offer(peerId);
  await stakes.run(stop.signal);
  return { stakes, sent };
}

describe('staking', () => {
  test('is proposed by one validator and approved by others, a quorum in all', async () => {
    const { sent, stakes } = await staked(['a', 'b'], () => ACKNOWLEDGED, 6);
    expect(stakes.counts()).toEqual({ proposed: 2, decided: 2, refusedBy: {} });
    expect(stakes.decided()).toEqual(['a', 'b']);
    const [proposed, ...approved] = sent.slice(0, 3);
    expect(proposed?.event.event).toMatchObject({
      type: 'proposed',
      peerId: VALIDATORS[0]?.peerId,
      action: { kind: 'stakeStatusChanged', peerId: 'a', isStaked: true },
      replaces: ZERO_HASH,
    });
    expect(approved.map(({ event: { event } }) => event)).toMatchObject(
      [1, 2].map((index) => ({ type: 'approved', proposal: proposed?.event.id, peerId: VALIDATORS[index]?.peerId })),
    );
    expect(sent.map(({ validator }) => validator)).toEqual([0, 0, 0, 1, 1, 1]);
  });

  test('that a validator refuses is counted by code and is not decided', async () => {
    const { refusal } = refuse('proposal-void', 'another value');
    const { stakes } = await staked(
      ['a'],
      ({ event }) => (event.type === 'approved' ? { kind: 'refused', refusal } : ACKNOWLEDGED),
      3,
    );
    expect(stakes.counts()).toEqual({ proposed: 1, decided: 0, refusedBy: { 'proposal-void': 2 } });
  });

  test('of a node that is staked already is not proposed again', async () => {
    const { stakes, sent } = await staked(['a'], () => ACKNOWLEDGED, 3);
    stakes.offer('a');
    stakes.alreadyDecided('z');
    stakes.offer('z');
    await stakes.run(AbortSignal.timeout(20));
    expect(sent).toHaveLength(3);
    expect(stakes.decided()).toEqual(['a', 'z']);
  });
});
