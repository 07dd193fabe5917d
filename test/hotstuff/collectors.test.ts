import { describe, expect, it } from 'vitest';
import { TimeoutCollector } from '../../src/hotstuff/timeout-collector.ts';
import { VoteCollector } from '../../src/hotstuff/vote-collector.ts';
import { certificateOf, linkOn, linksOf, type Link } from './links.ts';

const [B1, B2] = linksOf(1, 2) as [Link, Link];
const vote = certificateOf(B1).vote;
const other = certificateOf(linkOn(B1, 1 + 1, 'other')).vote;
const nextVote = certificateOf(B2).vote;
const SIGNATURE = new Uint8Array(96).fill(1);

describe('votes', () => {
  it('make a quorum when enough different validators voted the same', () => {
    const votes = new VoteCollector(3);
    votes.take(0, vote, SIGNATURE);
    votes.take(2, vote, SIGNATURE);
    expect(votes.quorums(5)).toEqual([]);
    votes.take(3, vote, SIGNATURE);
    const [quorum] = votes.quorums(9);
    expect(quorum?.sinceMs).toBe(9);
    expect(quorum?.ballots.map(({ signer }) => signer)).toEqual([0, 2, 3]);
    votes.take(1, vote, SIGNATURE);
    expect(votes.quorums(12)[0]).toMatchObject({ sinceMs: 9, ballots: { length: 4 } });
  });

  it('of one validator count once, however often they come', () => {
    const votes = new VoteCollector(3);
    for (let i = 0; i < 5; i++) votes.take(0, vote, SIGNATURE);
    for (let i = 0; i < 2; i++) votes.take(1, vote, SIGNATURE);
    expect(votes.quorums(0)).toEqual([]);
    votes.take(2, vote, SIGNATURE);
    expect(votes.quorums(0)).toHaveLength(1);
  });

  it('for different blocks do not add up', () => {
    const votes = new VoteCollector(3);
    votes.take(0, nextVote, SIGNATURE);
    votes.take(1, nextVote, SIGNATURE);
    votes.take(2, other, SIGNATURE);
    expect(votes.quorums(0)).toEqual([]);
  });

  it('take the slot of an older one of the same validator, and never that of a later one', () => {
    const votes = new VoteCollector(2);
    expect(votes.take(0, vote, SIGNATURE).kind).toBe('held');
    expect(votes.take(0, nextVote, SIGNATURE).kind).toBe('held');
    expect(votes.take(0, vote, SIGNATURE).kind).toBe('known');
    expect(votes.slots.of(0)?.ballot).toBe(nextVote);
  });

  it('that differ in one round are a conflict, and the first one stays', () => {
    const votes = new VoteCollector(2);
    votes.take(0, nextVote, SIGNATURE);
    expect(votes.take(0, other, SIGNATURE)).toMatchObject({ kind: 'conflict', first: { ballot: nextVote } });
    expect(votes.slots.of(0)?.ballot).toBe(nextVote);
  });

  it('are not collected twice while a job is out, and are when it fails', () => {
    const votes = new VoteCollector(2);
    votes.take(0, vote, SIGNATURE);
    votes.take(1, vote, SIGNATURE);
    votes.quorums(0);
    votes.setCollecting(1, true);
    expect(votes.quorums(1)).toEqual([]);
    votes.setCollecting(1, false);
    expect(votes.quorums(2)).toHaveLength(1);
    votes.forgetThrough(1);
    expect(votes.quorums(3)).toEqual([]);
  });

  it('of a culprit are dropped, and its later ones wait for a check of their own', () => {
    const votes = new VoteCollector(2);
    votes.take(0, vote, SIGNATURE);
    votes.take(1, vote, SIGNATURE);
    votes.slots.convict(1, 1);
    expect(votes.quorums(0)).toEqual([]);
    votes.take(0, nextVote, SIGNATURE);
    votes.take(1, nextVote, SIGNATURE);
    expect(votes.quorums(0)).toEqual([]);
    expect(votes.slots.unchecked().map(({ signer }) => signer)).toEqual([1]);
    for (const slot of votes.slots.unchecked()) votes.slots.mark(slot, 'counts');
    expect(votes.quorums(0)).toHaveLength(1);
  });
});

describe('timeouts', () => {
  const verifiedUpTo = (round: number) => (asked: number) => asked <= round;

  it('make a quorum in one round, whatever each knew', () => {
    const timeouts = new TimeoutCollector(3);
    timeouts.take(0, { round: 5, highRound: 4 }, SIGNATURE);
    timeouts.take(1, { round: 5, highRound: 2 }, SIGNATURE);
    timeouts.take(2, { round: 4, highRound: 2 }, SIGNATURE);
    expect(timeouts.quorum(5, verifiedUpTo(9))).toBeUndefined();
    timeouts.take(2, { round: 5, highRound: 2 }, SIGNATURE);
    expect(timeouts.quorum(5, verifiedUpTo(9))).toHaveLength(3);
    expect(timeouts.othersAt(5, 2)).toBe(2);
  });

  it('that claim a certificate nobody verified here are left out, whoever else is in', () => {
    const timeouts = new TimeoutCollector(3);
    timeouts.take(0, { round: 9, highRound: 8 }, SIGNATURE);
    timeouts.take(1, { round: 9, highRound: 2 }, SIGNATURE);
    timeouts.take(2, { round: 9, highRound: 2 }, SIGNATURE);
    expect(timeouts.quorum(9, verifiedUpTo(4))).toBeUndefined();
    timeouts.take(3, { round: 9, highRound: 4 }, SIGNATURE);
    const quorum = timeouts.quorum(9, verifiedUpTo(4));
    expect(quorum?.map(({ signer }) => signer)).toEqual([3, 1, 2]);
  });

  it('are not collected twice while a job of the round is out', () => {
    const timeouts = new TimeoutCollector(1);
    timeouts.take(0, { round: 5, highRound: 4 }, SIGNATURE);
    timeouts.setCollecting(5);
    expect(timeouts.quorum(5, verifiedUpTo(9))).toBeUndefined();
    timeouts.setCollecting(0);
    expect(timeouts.quorum(5, verifiedUpTo(9))).toHaveLength(1);
  });

  it('with another high round in the same round are a conflict', () => {
    const timeouts = new TimeoutCollector(1);
    timeouts.take(0, { round: 5, highRound: 4 }, SIGNATURE);
    expect(timeouts.take(0, { round: 5, highRound: 4 }, SIGNATURE).kind).toBe('known');
    expect(timeouts.take(0, { round: 5, highRound: 3 }, SIGNATURE).kind).toBe('conflict');
  });
});
