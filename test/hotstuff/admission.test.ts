import { describe, expect, it } from 'vitest';
import { unwrap } from '../../src/base/result.ts';
import { admitOwn, candidateOf, type AdmissionView } from '../../src/hotstuff/admission.ts';
import type { HotstuffMessage } from '../../src/hotstuff/messages.ts';
import { makeBlock } from '../../src/ledger/block.ts';
import { certificateDigest, type QuorumCertificate } from '../../src/qc/certificate.ts';
import { timeoutCertificateDigest } from '../../src/qc/timeout-certificate.ts';
import { joinOf } from './chain.ts';
import { certificateOf, chain, linkOn, linksOf, type Link } from './links.ts';
import {
  proposalMessage,
  signedCertificate,
  signedTimeoutCertificate,
  timeoutMessage,
  voteMessage,
} from './signing.ts';

const [B1, B2, B3] = linksOf(1, 2, 3) as [Link, Link, Link];
const C1 = signedCertificate(chain, certificateOf(B1).vote);
const C2 = signedCertificate(chain, certificateOf(B2).vote);
const T4 = signedTimeoutCertificate(chain, 4, C1);

const { chainId, validators, genesisCertificate } = chain;
const FRESH: AdmissionView = {
  context: { chainId, validators, genesis: genesisCertificate },
  self: 0,
  round: 1,
  highCertificateRound: 0,
  lastVotedRound: 0,
  lastVote: null,
  verifiedCertificate: (digest) => (digest === certificateDigest(genesisCertificate) ? genesisCertificate : undefined),
  verifiedTimeoutCertificate: () => undefined,
};

function candidate(message: HotstuffMessage, from: number, view: Partial<AdmissionView> = {}) {
  return unwrap(candidateOf(message, from, { ...FRESH, ...view }));
}

function codeOf(message: HotstuffMessage, from: number, view: Partial<AdmissionView> = {}): string {
  const result = candidateOf(message, from, { ...FRESH, ...view });
  return result.ok ? result.value.message.kind : result.refusal.code;
}

/** A block by the leader of its round. */
function ledBy(link: Link, events: Parameters<typeof makeBlock>[1] = [], change = {}) {
  return { block: makeBlock({ ...link.header, ...change }, events) };
}

describe('a proposal', () => {
  it('owes its certificate, its timeout certificate, the signature of its leader and those of its events', () => {
    const link = linkOn(B1, 5);
    const events = [joinOf(chain, 1)];
    const { duties, admit } = candidate(proposalMessage(chain, ledBy(link, events), C1, T4), 1);
    expect(duties.certificate).toBe(C1);
    expect(duties.timeoutCertificate).toBe(T4);
    expect(duties.events).toEqual(events);
    expect(duties.signatures).toMatchObject([{ signWith: 'identity', signer: 1 }]);
    const admitted = admit({ certificate: C1, timeoutCertificate: T4, events: [events] });
    expect(admitted).toMatchObject({ kind: 'proposal', justify: C1, timeoutCertificate: T4, events });
    expect(() => admit({ certificate: null, timeoutCertificate: T4, events: [events] })).toThrow('was verified');
    expect(() => admit({ certificate: C1, timeoutCertificate: T4, events: [[]] })).toThrow('were verified');
  });

  it('owes no certificate that this node has verified before', () => {
    const view = {
      verifiedCertificate: () => C1,
      verifiedTimeoutCertificate: (digest: string) => (digest === timeoutCertificateDigest(T4) ? T4 : undefined),
    };
    const { duties, admit } = candidate(proposalMessage(chain, ledBy(linkOn(B1, 5)), C1, T4), 1, view);
    expect(duties).toMatchObject({ certificate: null, timeoutCertificate: null });
    expect(admit({ certificate: null, timeoutCertificate: null, events: [[]] })).toMatchObject({ justify: C1 });
  });

  it('is refused from anybody but the leader of its round', () => {
    expect(codeOf(proposalMessage(chain, ledBy(B2), C1), 1)).toBe('proposal-not-by-leader');
    const proposer = validators.member(1).peerId;
    expect(codeOf(proposalMessage(chain, ledBy(B2, [], { proposer }), C1), 1)).toBe('proposal-not-by-leader');
    expect(codeOf(proposalMessage(chain, ledBy(B2, [], { proposer }), C1), 2)).toBe('proposal-not-by-leader');
    expect(codeOf(proposalMessage(chain, ledBy(B2), C1), 2)).toBe('proposal');
  });

  it('with a certificate that cannot be one is refused before any pairing', () => {
    const few: QuorumCertificate = { ...C1, signers: [0, 1] };
    expect(codeOf(proposalMessage(chain, ledBy(B2), few), 2)).toBe('quorum-missing');
    const short = { ...T4, signers: [0, 1], highRounds: [1, 1] };
    expect(codeOf(proposalMessage(chain, ledBy(linkOn(B1, 5)), C1, short), 1)).toBe('quorum-missing');
  });

  it('of a round that is over owes nothing and earns an answer', () => {
    const { message, duties, admit } = candidate(proposalMessage(chain, ledBy(B2), C1), 2, { round: 9 });
    expect(message).toEqual({ kind: 'stale', of: 'proposal', senderRound: 2 });
    expect(duties).toMatchObject({ signatures: [], certificate: null });
    expect(admit({ certificate: null, timeoutCertificate: null, events: [] })).toMatchObject({ kind: 'stale' });
  });
});

describe('a vote', () => {
  it('owes nothing, and is stale once its round is certified', () => {
    const message = voteMessage(chain, 1, certificateOf(B2).vote);
    expect(candidate(message, 1).duties.signatures).toEqual([]);
    expect(codeOf(message, 1, { highCertificateRound: 2 })).toBe('stale');
  });

  it('of this node itself, or a timeout, needs no check', () => {
    expect(admitOwn(voteMessage(chain, 0, certificateOf(B2).vote))).toMatchObject({ kind: 'vote' });
    expect(admitOwn(timeoutMessage(chain, 0, 2, C1))).toMatchObject({ kind: 'timeout', highCertificate: null });
  });
});

describe('a timeout', () => {
  it('owes its certificates where they are above what this node knows', () => {
    const { duties, admit } = candidate(timeoutMessage(chain, 1, 5, C1, T4), 1);
    expect(duties).toMatchObject({ certificate: C1, timeoutCertificate: T4 });
    const fulfilled = { certificate: C1, timeoutCertificate: T4, events: [] };
    expect(admit(fulfilled)).toMatchObject({ highCertificate: C1, timeoutCertificate: T4 });
  });

  it('owes nothing else, and then carries no certificate that anybody may use', () => {
    const view = { highCertificateRound: 1, round: 5 };
    const { duties, admit } = candidate(timeoutMessage(chain, 1, 5, C1, T4), 1, view);
    expect(duties).toMatchObject({ certificate: null, timeoutCertificate: null });
    const fulfilled = { certificate: null, timeoutCertificate: null, events: [] };
    expect(admit(fulfilled)).toMatchObject({ highCertificate: null, timeoutCertificate: null });
  });

  it('that names another round than its certificate is of is refused', () => {
    const message = timeoutMessage(chain, 1, 3, C2);
    const claims = (highRound: number) => ({ ...message, timeout: { round: 3, highRound } });
    expect(codeOf(message, 1)).toBe('timeout');
    expect(codeOf(claims(1), 1)).toBe('timeout-high-round-mismatch');
    expect(codeOf(timeoutMessage(chain, 1, 2, C2), 1)).toBe('timeout-high-round-mismatch');
  });

  it('that does not show how its round was entered is refused', () => {
    expect(codeOf(timeoutMessage(chain, 1, 5, C1), 1)).toBe('timeout-round-unentered');
    expect(codeOf(timeoutMessage(chain, 1, 6, C1, T4), 1)).toBe('timeout-round-unentered');
  });

  it('of a round that is over is stale', () => {
    expect(codeOf(timeoutMessage(chain, 1, 2, C1), 1, { round: 3 })).toBe('stale');
  });
});

describe('a certificate', () => {
  it('owes itself when it is news, and is stale otherwise', () => {
    const message: HotstuffMessage = { kind: 'certificate', certificate: C2 };
    const { duties, admit } = candidate(message, 3);
    expect(duties.certificate).toBe(C2);
    expect(admit({ certificate: C2, timeoutCertificate: null, events: [] })).toMatchObject({ certificate: C2 });
    expect(() => admit({ certificate: null, timeoutCertificate: null, events: [] })).toThrow('was verified');
    expect(codeOf(message, 3, { highCertificateRound: 2 })).toBe('stale');
    expect(codeOf({ kind: 'certificate', certificate: { ...C2, signers: [0, 1, 9] } }, 3)).toBe('signer-unknown');
  });

  it('of timeouts is news by its round, or by the certificate inside', () => {
    const message: HotstuffMessage = { kind: 'timeoutCertificate', certificate: T4 };
    const { duties, admit } = candidate(message, 3);
    expect(duties.timeoutCertificate).toBe(T4);
    expect(admit({ certificate: null, timeoutCertificate: T4, events: [] })).toMatchObject({ certificate: T4 });
    expect(() => admit({ certificate: null, timeoutCertificate: null, events: [] })).toThrow('was verified');
    expect(codeOf(message, 3, { round: 5 })).toBe('timeoutCertificate');
    const view = { round: 5, highCertificateRound: 1 };
    expect(codeOf(message, 3, view)).toBe('stale');
  });
});

describe('a testimony', () => {
  const vote = certificateOf(B3).vote;
  const told = (round: number): HotstuffMessage => ({
    kind: 'witness',
    epoch: 0,
    asks: false,
    vote: { ballot: vote, signature: voteMessage(chain, 0, vote).signature },
    timeout: { ballot: { round, highRound: 1 }, signature: timeoutMessage(chain, 0, 2, C1).signature },
  });

  it("owes the ballots above the receiver's record, signed by the receiver", () => {
    const { duties } = candidate(told(7), 2);
    expect(duties.signatures).toMatchObject([
      { signWith: 'bls', signer: 0 },
      { signWith: 'bls', signer: 0 },
    ]);
  });

  it('owes another vote of a round in which the receiver voted', () => {
    const other = certificateOf(linkOn(B2, 3, 'other')).vote;
    expect(candidate(told(2), 2, { lastVotedRound: 3, lastVote: other }).duties.signatures).toHaveLength(1);
  });

  it('owes nothing where the record knows more, so that nobody can make the receiver check again and again', () => {
    expect(candidate(told(3), 2, { lastVotedRound: 3, lastVote: vote }).duties.signatures).toEqual([]);
    expect(candidate(told(3), 2, { lastVotedRound: 9 }).duties.signatures).toEqual([]);
  });
});

describe('any message', () => {
  it('of another epoch is refused', () => {
    expect(codeOf({ ...voteMessage(chain, 1, certificateOf(B2).vote), epoch: 1 }, 1)).toBe('epoch-mismatch');
    expect(codeOf({ kind: 'certificate', certificate: { ...C2, epoch: 1 } }, 1)).toBe('epoch-mismatch');
    expect(codeOf(proposalMessage(chain, ledBy(B2, [], { epoch: 1 }), C1), 2)).toBe('epoch-mismatch');
  });

  it('of fetched blocks owes nothing: certified ids bind them', () => {
    const message: HotstuffMessage = { kind: 'blocks', blocks: [{ block: B2.block, justify: C1 }] };
    const { duties, admit } = candidate(message, 1);
    expect(duties.events).toEqual([]);
    expect(admit({ certificate: null, timeoutCertificate: null, events: [[]] })).toMatchObject({ kind: 'blocks' });
    expect(() => admit({ certificate: null, timeoutCertificate: null, events: [] })).toThrow('its list of events');
  });
});
