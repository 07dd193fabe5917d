import { describe, expect, it } from 'vitest';
import { toHex } from '../../src/base/bytes.ts';
import {
  headStatementPreimage,
  possessionPreimage,
  proposalPreimage,
  timeoutPreimage,
  votePreimage,
} from '../../src/qc/ballot.ts';
import { chain, hashOf, voteFor } from './validators.ts';

const vote = voteFor(7);
const head = { height: 5, blockId: hashOf('b'), stateRoot: hashOf('s'), nowMs: 1_700_000_000_000 };

describe('preimages', () => {
  it('have the bytes that other implementations must make', () => {
    // 1, then [chain id, 1, epoch], then [round, block id, parent round, parent id, commit info].
    expect(toHex(votePreimage({ chainId: 'c', epoch: 2 }, { ...vote, commit: null }))).toBe(
      `01` + `93a1630102` + `9507c420${hashOf('block 7')}06c420${hashOf('block 6')}c0`,
    );
    expect(toHex(votePreimage({ chainId: 'c', epoch: 2 }, vote))).toBe(
      `01` +
        `93a1630102` +
        `9507c420${hashOf('block 7')}06c420${hashOf('block 6')}` +
        `950606c420${hashOf('block 6')}c420${hashOf('state 6')}c0`,
    );
    expect(toHex(timeoutPreimage({ chainId: 'c', epoch: 2 }, { round: 9, highRound: 4 }))).toBe(
      '02' + '93a1630102' + '920904',
    );
    expect(toHex(possessionPreimage('p', new Uint8Array(48)))).toBe('03' + '9301a170' + `c430${'00'.repeat(48)}`);
    expect(toHex(headStatementPreimage({ chainId: 'c', epoch: 2 }, { ...head, nowMs: 6 }))).toBe(
      '04' + '93a1630102' + `9405c420${hashOf('b')}c420${hashOf('s')}06`,
    );
    expect(toHex(proposalPreimage({ chainId: 'c', epoch: 2 }, { round: 7, blockId: hashOf('b') }))).toBe(
      `${Buffer.from('hotledger/proposal/1\n').toString('hex')}93a1630102` + `9207c420${hashOf('b')}`,
    );
  });

  it('begin with the byte of their kind, so that none is ever another', () => {
    const kinds = [
      votePreimage(chain, vote),
      timeoutPreimage(chain, { round: 1, highRound: 0 }),
      possessionPreimage('p', new Uint8Array(48)),
      headStatementPreimage(chain, head),
    ].map((preimage) => preimage[0]);
    expect(kinds).toEqual([1, 2, 3, 4]);
  });

  it('differ by chain, by epoch and by every field of the ballot', () => {
    const commit = vote.commit ?? {
      height: 0,
      round: 0,
      blockId: vote.blockId,
      stateRoot: vote.blockId,
      nextValidatorSet: null,
    };
    const votes = [
      vote,
      { ...vote, round: 8 },
      { ...vote, blockId: hashOf('x') },
      { ...vote, parentRound: 5 },
      { ...vote, parentId: hashOf('x') },
      { ...vote, commit: null },
      { ...vote, commit: { ...commit, height: 99 } },
      { ...vote, commit: { ...commit, round: 99 } },
      { ...vote, commit: { ...commit, blockId: hashOf('x') } },
      { ...vote, commit: { ...commit, stateRoot: hashOf('x') } },
      { ...vote, commit: { ...commit, nextValidatorSet: hashOf('x') } },
    ];
    const heads = [
      head,
      { ...head, height: 6 },
      { ...head, blockId: hashOf('x') },
      { ...head, stateRoot: hashOf('x') },
      { ...head, nowMs: 1 },
    ];
    const timeouts = [
      { round: 3, highRound: 2 },
      { round: 3, highRound: 1 },
      { round: 4, highRound: 2 },
    ];
    const chains = [chain, { ...chain, epoch: 1 }, { ...chain, chainId: 'another' }];
    const preimages = chains.flatMap((on) => [
      ...votes.map((ballot) => votePreimage(on, ballot)),
      ...timeouts.map((ballot) => timeoutPreimage(on, ballot)),
      ...heads.map((ballot) => headStatementPreimage(on, ballot)),
      proposalPreimage(on, vote),
      proposalPreimage(on, { ...vote, round: 8 }),
      proposalPreimage(on, { ...vote, blockId: hashOf('x') }),
    ]);
    expect(new Set(preimages.map(toHex)).size).toBe(preimages.length);
  });
});
