import { describe, expect, it } from 'vitest';
import { unwrap } from '../../src/base/result.ts';
import type { HotstuffMessage } from '../../src/hotstuff/messages.ts';
import {
  decodeSafetyRecord,
  encodeSafetyRecord,
  firstSafetyRecord,
  type SafetyRecord,
} from '../../src/hotstuff/safety-record.ts';
import { SafetyRules, type Ballot, type BallotRequest } from '../../src/hotstuff/safety-rules.ts';
import { contentOf } from '../../src/ledger/checked-record.ts';
import { certificateVerifiedBefore } from '../../src/qc/certificate.ts';
import { everyFlip } from '../flipped.ts';
import { certificateOf, chain, GENESIS, linkOn, linksOf, timeoutCertificateOf, type Link } from './links.ts';

/**
 *     genesis <--- B1 <--- B2 <--- B3
 */
const [B1, B2, B3] = linksOf(1, 2, 3) as [Link, Link, Link];
const FIRST = firstSafetyRecord(chain.genesisCertificate);

function rulesOf(change: Partial<SafetyRecord> | null = {}, heard: readonly number[] = [1, 2]): SafetyRules {
  const rules = new SafetyRules({
    chain: { chainId: chain.chainId, epoch: 0 },
    self: 3,
    quorum: 3,
    commitDepth: 2,
    genesis: chain.genesisCertificate,
    record: change === null ? null : { ...FIRST, ...change },
    silence: null,
  });
  for (const peer of heard) rules.hear(peer, null, null);
  return rules;
}

function request(block: Link, parent: Link, skipped: number | null = null): BallotRequest {
  const timeoutCertificate = skipped === null ? null : timeoutCertificateOf(skipped, parent);
  return { block: block.block, parent, justify: certificateOf(parent), timeoutCertificate };
}

/** Learns what justifies the block, and votes. */
function vote(rules: SafetyRules, block: Link, parent: Link, skipped: number | null = null) {
  const asked = request(block, parent, skipped);
  rules.learnCertificate(asked.justify);
  if (asked.timeoutCertificate !== null) rules.learnTimeoutCertificate(asked.timeoutCertificate);
  return rules.vote(asked);
}

function messageOf<K extends HotstuffMessage['kind']>(ballot: Ballot, kind: K) {
  expect(ballot.message.kind).toBe(kind);
  return ballot.message as Extract<HotstuffMessage, { kind: K }>;
}

function codeOf(result: ReturnType<SafetyRules['vote']>): string {
  return result.ok ? 'signed' : result.refusal.code;
}

describe('voting', () => {
  it('promises the round and locks the certificate', () => {
    const rules = rulesOf();
    const message = messageOf(unwrap(vote(rules, B2, B1)), 'vote');
    expect(message.vote).toMatchObject({ round: 2, blockId: B2.id, parentRound: 1, parentId: B1.id });
    expect(message.vote.commit).toMatchObject({ blockId: B1.id, height: 1 });
    expect(rules.record).toMatchObject({ lastVotedRound: 2, lockedRound: 1, lastVote: message.vote });
  });

  it('happens once a round, whatever the block', () => {
    const rules = rulesOf();
    expect(codeOf(vote(rules, B2, B1))).toBe('signed');
    expect(codeOf(vote(rules, B2, B1))).toBe('already-voted');
    expect(codeOf(vote(rules, linkOn(B1, 2, 'other'), B1))).toBe('already-voted');
    expect(codeOf(vote(rules, B1, GENESIS))).toBe('already-voted');
  });

  it('never happens in a round that was given up', () => {
    const rules = rulesOf();
    unwrap(rules.timeout(1));
    expect(codeOf(vote(rules, B1, GENESIS))).toBe('already-voted');
    expect(codeOf(vote(rules, B2, B1))).toBe('signed');
  });

  it('is refused for what is not justified, and promises nothing', () => {
    const rules = rulesOf();
    rules.learnCertificate(certificateOf(B2));
    const before = rules.record;
    expect(codeOf(rules.vote({ ...request(B3, B2), justify: certificateOf(B1) }))).toBe('justify-mismatch');
    expect(rules.record).toBe(before);
  });

  it('gives the stored vote when asked again', () => {
    const rules = rulesOf();
    const first = unwrap(vote(rules, B2, B1));
    expect(rules.storedVote()).toEqual(first);
    expect(rulesOf().storedVote()).toBeUndefined();
  });
});

describe('a leader', () => {
  it('votes for its own block in the step that proposes it', () => {
    const rules = rulesOf();
    rules.learnCertificate(certificateOf(B1));
    const { proposal, vote: own } = unwrap(rules.propose(request(B2, B1)));
    expect(messageOf(proposal, 'proposal').block.id).toBe(B2.id);
    expect(messageOf(own, 'vote').vote.blockId).toBe(B2.id);
    const again = rules.propose(request(linkOn(B1, 2, 'other'), B1));
    expect(again.ok ? '' : again.refusal.code).toBe('already-voted');
  });
});

describe('giving up', () => {
  it('signs the round and the highest certificate known, with how the round was entered', () => {
    const rules = rulesOf();
    rules.learnCertificate(certificateOf(B1));
    rules.learnTimeoutCertificate(timeoutCertificateOf(4, B1));
    const message = messageOf(unwrap(rules.timeout(5)), 'timeout');
    expect(message.timeout).toEqual({ round: 5, highRound: 1 });
    expect(message.highCertificate).toBe(rules.record.highCertificate);
    expect(message.timeoutCertificate?.round).toBe(4);
    expect(rules.record.lastVotedRound).toBe(5);
  });

  it('needs no timeout certificate where a certificate of the round before is held', () => {
    const rules = rulesOf();
    rules.learnCertificate(certificateOf(B1));
    expect(messageOf(unwrap(rules.timeout(2)), 'timeout').timeoutCertificate).toBeNull();
  });

  it('may follow a vote of the same round', () => {
    const rules = rulesOf();
    unwrap(vote(rules, B1, GENESIS));
    expect(codeOf(rules.timeout(1))).toBe('signed');
  });

  it('is the same bytes ever after, though a later certificate has come', () => {
    const rules = rulesOf();
    rules.learnTimeoutCertificate(timeoutCertificateOf(4, B1));
    const first = unwrap(rules.timeout(5));
    rules.learnCertificate(certificateOf(B3));
    expect(unwrap(rules.timeout(5))).toEqual(first);
  });

  it.each([
    { name: 'below the last voted round', record: { lastVotedRound: 7 }, round: 5, code: 'timeout-below-vote' },
    { name: 'of a round never entered', record: {}, round: 5, code: 'timeout-round-unentered' },
  ])('is refused $name', ({ record, round, code }) => {
    expect(codeOf(rulesOf(record).timeout(round))).toBe(code);
  });

  it('is refused below the lock', () => {
    const rules = rulesOf({ highCertificate: certificateOf(B1), lockedRound: 2 });
    expect(codeOf(rules.timeout(2))).toBe('certificate-below-lock');
  });
});

describe('silence', () => {
  it('lasts after a start until a quorum has told what it holds', () => {
    const rules = rulesOf({}, [1]);
    expect(rules.silence?.code).toBe('testimony-awaited');
    expect(codeOf(vote(rules, B1, GENESIS))).toBe('validator-silent');
    rules.hear(1, null, null);
    expect(rules.silence?.code).toBe('testimony-awaited');
    rules.hear(0, null, null);
    expect(rules.silence).toBeNull();
  });

  it('lasts for ever without a record, and then nothing is written', () => {
    const rules = rulesOf(null);
    expect(rules.silence?.code).toBe('safety-record-missing');
    expect(codeOf(vote(rules, B1, GENESIS))).toBe('validator-silent');
    expect(codeOf(rules.timeout(1))).toBe('validator-silent');
    expect(rules.takeUnwritten()).toBeUndefined();
  });

  const voteOf = (link: Link) => certificateOf(link).vote;
  it.each([
    { name: 'a vote above the record', tell: (rules: SafetyRules) => rules.hear(0, voteOf(B3), null) },
    {
      name: 'another vote in its round',
      tell: (rules: SafetyRules) => rules.hear(0, voteOf(linkOn(B1, 2, 'other')), null),
    },
    {
      name: 'a timeout above the record',
      tell: (rules: SafetyRules) => rules.hear(0, null, { round: 3, highRound: 0 }),
    },
    {
      name: 'a certificate that bears its signature',
      tell: (rules: SafetyRules) =>
        rules.learnCertificate(certificateVerifiedBefore({ ...certificateOf(B3), signers: [0, 1, 3] })),
    },
    {
      name: 'a timeout certificate that bears its signature',
      tell: (rules: SafetyRules) =>
        rules.learnTimeoutCertificate({ ...timeoutCertificateOf(3, GENESIS), signers: [0, 1, 3] }),
    },
  ])('begins and survives a restart when others hold $name', ({ tell }) => {
    const rules = rulesOf();
    unwrap(vote(rules, B2, B1));
    tell(rules);
    expect(rules.silence?.code).toBe('safety-record-rolled-back');
    expect(rules.silence?.message).toContain('Recovery');
    expect(codeOf(vote(rules, B3, B2))).toBe('validator-silent');
    const written = rules.takeUnwritten();
    if (written === undefined) throw new TypeError('it is written');
    expect(rulesOf(unwrap(decodeSafetyRecord(written))).silence?.code).toBe('safety-record-rolled-back');
  });

  it('does not begin when others hold what the record knows', () => {
    const rules = rulesOf();
    unwrap(vote(rules, B2, B1));
    rules.hear(0, voteOf(B2), { round: 2, highRound: 1 });
    rules.learnCertificate(certificateVerifiedBefore({ ...certificateOf(B2), signers: [0, 1, 3] }));
    expect(rules.silence).toBeNull();
  });
});

describe('the safety record', () => {
  it('is unwritten from the moment a ballot is made, and comes back the same', () => {
    const rules = rulesOf();
    expect(rules.takeUnwritten()).toBeUndefined();
    unwrap(vote(rules, linkOn(B1, 5), B1, 4));
    unwrap(rules.timeout(5));
    const written = rules.takeUnwritten();
    if (written === undefined) throw new TypeError('it is to be written');
    expect(unwrap(decodeSafetyRecord(written))).toEqual(rules.record);
    expect(rules.takeUnwritten()).toBeUndefined();
  });

  it('is refused when it cannot be read, and when it contradicts itself', () => {
    const codeFor = (bytes: Uint8Array) => {
      const decoded = decodeSafetyRecord(bytes);
      return decoded.ok ? 'read' : decoded.refusal.code;
    };
    expect(codeFor(encodeSafetyRecord(FIRST))).toBe('read');
    expect(codeFor(encodeSafetyRecord(FIRST).slice(1))).toBe('safety-record-corrupt');
    const { vote: lastVote } = certificateOf(B3);
    expect(codeFor(encodeSafetyRecord({ ...FIRST, lastVote }))).toBe('safety-record-corrupt');
    expect(codeFor(encodeSafetyRecord({ ...FIRST, lockedRound: 3 }))).toBe('safety-record-corrupt');
    const lastTimeout = {
      timeout: { round: 3, highRound: 0 },
      highCertificate: FIRST.highCertificate,
      timeoutCertificate: null,
    };
    expect(codeFor(encodeSafetyRecord({ ...FIRST, lastTimeout }))).toBe('safety-record-corrupt');
  });

  it('is refused with any bit of it flipped, whatever it would say', () => {
    const rules = rulesOf();
    unwrap(vote(rules, linkOn(B1, 5), B1, 4));
    unwrap(rules.timeout(5));
    const read = everyFlip(encodeSafetyRecord(rules.record)).filter((bytes) => decodeSafetyRecord(bytes).ok);
    expect(read).toEqual([]);
  });

  it('is refused without its check: damage does not pass for age', () => {
    const rules = rulesOf();
    unwrap(vote(rules, B2, B1));
    const older = contentOf(encodeSafetyRecord(rules.record));
    if (older === null) throw new TypeError('it is whole');
    expect(decodeSafetyRecord(older)).toMatchObject({ ok: false, refusal: { code: 'safety-record-corrupt' } });
  });
});
