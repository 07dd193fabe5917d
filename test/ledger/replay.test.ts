import { describe, expect, test } from 'vitest';
import { ok, refuse } from '../../src/base/result.ts';
import type { Hash } from '../../src/base/hash.ts';
import type { SealedBlock } from '../../src/ledger/block.ts';
import { makeBlock } from '../../src/ledger/block.ts';
import { decodeCommitProof, verifyCommitProof } from '../../src/ledger/commit-proof.ts';
import { Replay, type ReplayOptions } from '../../src/ledger/replay.ts';
import { nativeScheme } from '../../src/qc/scheme-native.ts';
import { SealedChain } from './chain.ts';
import { codeOf, peerOf } from './nodes.ts';

const chain = new SealedChain();
for (let node = 1; node <= 10; node++) {
  chain.now += 10;
  chain.commit([chain.join(node), chain.join(node + 100)]);
  if (node % 2 === 0) chain.commit([chain.event({ type: 'left', peerId: peerOf(node), seq: 2 })]);
}

const replayOf = (more: Partial<ReplayOptions> = {}) =>
  new Replay({ genesis: chain.state, validatorsOf: () => chain.validators, ...more });

function verifySeal({ block, seal }: SealedBlock) {
  const proof = decodeCommitProof(seal.bytes);
  const { chainId, validators } = chain;
  return proof.ok ? verifyCommitProof(proof.value, block, { chainId, validators, scheme: nativeScheme }) : proof;
}

describe('a replay', () => {
  test('ends at the same state, byte for byte, with what each block changed', () => {
    const replay = replayOf({ verifySeal });
    expect(replay.first.changes).toEqual(chain.state.changes);
    for (const { changes, sealed } of chain.steps) {
      expect(replay.step(sealed)).toEqual(ok({ block: sealed.block, changes }));
    }
    expect(replay.head).toMatchObject({ height: chain.steps.length, id: chain.head.id });
    expect(new Map([...replay.state.entries].sort())).toEqual(new Map([...chain.backing.entries].sort()));
  });

  test('says which block does not lead to its root, and stands before it', () => {
    const replay = replayOf();
    replay.step(chain.sealedAt(1));
    const { block, seal } = chain.sealedAt(2);
    const forged = makeBlock({ ...block.header, stateRoot: 'ee'.repeat(32) as Hash }, block.events);
    expect(replay.step({ block: forged, seal })).toMatchObject({
      ok: false,
      refusal: { code: 'state-root-mismatch', details: { height: 2 } },
    });
    expect(replay.head.height).toBe(1);
    expect(codeOf(replay.step({ block, seal }))).toBe('applied');
  });

  test('refuses a gap, a repeated block, and an event that does not apply', () => {
    const replay = replayOf();
    expect(codeOf(replay.step(chain.sealedAt(2)))).toBe('wrong-parent');
    replay.step(chain.sealedAt(1));
    expect(codeOf(replay.step(chain.sealedAt(1)))).toBe('wrong-parent');
    const { block, seal } = chain.sealedAt(2);
    const repeated = makeBlock(block.header, chain.sealedAt(1).block.events);
    expect(codeOf(replay.step({ block: repeated, seal }))).toBe('event-not-applicable');
  });

  test('refuses a seal or a signature that its callbacks refuse', () => {
    const { block } = chain.sealedAt(1);
    expect(codeOf(replayOf({ verifySeal }).step({ block, seal: chain.sealedAt(2).seal }))).toBe(
      'seal-names-another-block',
    );
    const second = block.events[1]?.id;
    const verifyEvent: ReplayOptions['verifyEvent'] = ({ id }) =>
      id === second ? refuse('signature-invalid', 'not this one') : ok(undefined);
    expect(replayOf({ verifyEvent }).step(chain.sealedAt(1))).toMatchObject({
      ok: false,
      refusal: { code: 'event-signature-invalid', details: { height: 1, event: second, because: 'signature-invalid' } },
    });
  });
});
