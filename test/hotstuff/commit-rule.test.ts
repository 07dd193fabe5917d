import { describe, expect, it } from 'vitest';
import { commitInfoOf, sameVote } from '../../src/hotstuff/commit-rule.ts';
import { certificateOf, linksOf } from './links.ts';

describe('the commit rule', () => {
  it.each<{ depth: 2 | 3; rounds: number[]; commits: number | null; because: string }>([
    { depth: 2, rounds: [1], commits: null, because: 'genesis is final already' },
    { depth: 2, rounds: [1, 2], commits: 1, because: 'two rounds in a row' },
    { depth: 2, rounds: [1, 3], commits: null, because: 'a gap below the certified block' },
    { depth: 2, rounds: [1, 3, 4], commits: 3, because: 'only the last two count' },
    { depth: 2, rounds: [1, 2, 4], commits: null, because: 'a gap above two in a row' },
    { depth: 3, rounds: [1], commits: null, because: 'genesis is final already' },
    { depth: 3, rounds: [1, 2], commits: null, because: 'the third is genesis' },
    { depth: 3, rounds: [1, 2, 3], commits: 1, because: 'three rounds in a row' },
    { depth: 3, rounds: [1, 2, 4], commits: null, because: 'a gap above' },
    { depth: 3, rounds: [1, 3, 4], commits: null, because: 'a gap below' },
    { depth: 3, rounds: [2, 4, 5, 6], commits: 4, because: 'only the last three count' },
  ])('at depth $depth, rounds $rounds commit $commits: $because', ({ depth, rounds, commits }) => {
    const links = linksOf(...rounds);
    const certified = links.at(-1);
    if (certified === undefined) throw new TypeError('a case has rounds');
    const info = commitInfoOf(certified, depth);
    const named = links.find(({ header }) => header.round === commits);
    expect(info?.round ?? null).toBe(commits);
    expect(info?.blockId ?? null).toBe(named?.id ?? null);
    expect(info?.height ?? null).toBe(named?.header.height ?? null);
    expect(info?.stateRoot ?? null).toBe(named?.header.stateRoot ?? null);
  });

  it('tells votes apart by every field that is signed', () => {
    const [, second] = linksOf(1, 2);
    if (second === undefined) throw new TypeError('two links');
    const { vote } = certificateOf(second);
    const { commit } = vote;
    if (commit === null) throw new TypeError('it commits');
    expect(sameVote(vote, { ...vote, commit: { ...commit } })).toBe(true);
    const others = [
      { ...vote, round: 9 },
      { ...vote, blockId: vote.parentId },
      { ...vote, parentRound: 9 },
      { ...vote, parentId: vote.blockId },
      { ...vote, commit: null },
      { ...vote, commit: { ...commit, height: 9 } },
      { ...vote, commit: { ...commit, round: 9 } },
      { ...vote, commit: { ...commit, blockId: vote.blockId } },
      { ...vote, commit: { ...commit, stateRoot: vote.blockId } },
      { ...vote, commit: { ...commit, nextValidatorSet: vote.blockId } },
    ];
    for (const other of others) expect(sameVote(vote, other)).toBe(false);
  });
});
