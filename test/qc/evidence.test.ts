import { describe, expect, it } from 'vitest';
import { concatBytes, equalBytes, utf8 } from '../../src/base/bytes.ts';
import { sha256 } from '../../src/base/hash.ts';
import { unwrap } from '../../src/base/result.ts';
import { proposalPreimage, timeoutPreimage, votePreimage } from '../../src/qc/ballot.ts';
import {
  evidenceCodec,
  makeEvidence,
  MAX_EVIDENCE_BYTES,
  verifyEvidence,
  type Evidence,
  type VerifyIdentity,
} from '../../src/qc/evidence.ts';
import { nativeScheme } from '../../src/qc/scheme-native.ts';
import { codeOf } from './refusal.ts';
import { chain, CHAIN_ID, contextOf, EPOCH, hashOf, peerId, secretKey, voteFor } from './validators.ts';

const OFFENDER = 2;

/** Stands for ed25519 in a room that knows only BLS. */
function identitySign(signer: number, message: Uint8Array): Uint8Array {
  return new Uint8Array(sha256(concatBytes(utf8(peerId(signer)), message)));
}

const verifyIdentity: VerifyIdentity = (signer, message, signature) =>
  signer === peerId(OFFENDER) && equalBytes(identitySign(OFFENDER, message), signature);

function verdict(evidence: Evidence): string {
  return codeOf(verifyEvidence(evidence, contextOf(4), nativeScheme, verifyIdentity));
}

function signedVote(name: string, round = 9, signer = OFFENDER) {
  const ballot = voteFor(round, name);
  return { ballot, signature: nativeScheme.sign(secretKey(signer), votePreimage(chain, ballot)) };
}

function signedTimeout(highRound: number, round = 9) {
  const ballot = { round, highRound };
  return { ballot, signature: nativeScheme.sign(secretKey(OFFENDER), timeoutPreimage(chain, ballot)) };
}

function signedProposal(name: string, signer = OFFENDER) {
  const ballot = { round: 9, blockId: hashOf(name) };
  return { ballot, signature: identitySign(signer, proposalPreimage(chain, ballot)) };
}

const base = { epoch: EPOCH, offender: OFFENDER };
const votes = makeEvidence({ ...base, kind: 'votes', first: signedVote('a'), second: signedVote('b') }, CHAIN_ID);
const timeouts = makeEvidence(
  { ...base, kind: 'timeouts', first: signedTimeout(5), second: signedTimeout(4) },
  CHAIN_ID,
);
const proposals = makeEvidence(
  { ...base, kind: 'proposals', first: signedProposal('a'), second: signedProposal('b') },
  CHAIN_ID,
);

describe('evidence', () => {
  it.each([votes, timeouts, proposals])('of two $kind verifies, and survives its encoding', (evidence) => {
    expect(verdict(evidence)).toBe('accepted');
    const encoded = evidenceCodec.encode(evidence);
    expect(encoded.length).toBeLessThanOrEqual(MAX_EVIDENCE_BYTES);
    expect(unwrap(evidenceCodec.decode(encoded))).toEqual(evidence);
  });

  it('of two votes that differ only in what they commit is evidence too', () => {
    const first = signedVote('a');
    const ballot = { ...first.ballot, commit: null };
    const second = { ballot, signature: nativeScheme.sign(secretKey(OFFENDER), votePreimage(chain, ballot)) };
    expect(verdict(makeEvidence({ ...base, kind: 'votes', first, second }, CHAIN_ID))).toBe('accepted');
  });

  it('has one order, so that a pair has one encoding', () => {
    const reversed = { ...votes, first: votes.second, second: votes.first } as Evidence;
    expect(makeEvidence(reversed, CHAIN_ID)).toEqual(votes);
    expect(verdict(reversed)).toBe('evidence-unordered');
  });

  it('is two different ballots of one round', () => {
    const vote = signedVote('a');
    expect(verdict({ ...base, kind: 'votes', first: vote, second: vote })).toBe('evidence-not-conflicting');
    const later = makeEvidence({ ...base, kind: 'votes', first: vote, second: signedVote('b', 10) }, CHAIN_ID);
    expect(verdict(later)).toBe('evidence-not-conflicting');
  });

  it('is refused where the accused did not sign one of the two', () => {
    const framed = makeEvidence(
      { ...base, kind: 'votes', first: signedVote('a'), second: signedVote('b', 9, 1) },
      CHAIN_ID,
    );
    expect(verdict(framed)).toBe('evidence-invalid');
    expect(verdict({ ...votes, offender: 1 })).toBe('evidence-invalid');
    const proposed = {
      ...base,
      kind: 'proposals',
      first: signedProposal('a'),
      second: signedProposal('b', 1),
    } as const;
    expect(verdict(makeEvidence(proposed, CHAIN_ID))).toBe('evidence-invalid');
    expect(verdict({ ...timeouts, first: { ...timeouts.first, signature: new Uint8Array(96) } } as Evidence)).toBe(
      'evidence-invalid',
    );
  });

  it('accuses a member, in the epoch that judges it, on the chain that it signed for', () => {
    expect(verdict({ ...votes, offender: 4 })).toBe('signer-unknown');
    expect(verdict({ ...votes, epoch: 1 })).toBe('epoch-mismatch');
    const elsewhere = { ...contextOf(4), chainId: 'another' };
    expect(codeOf(verifyEvidence(votes, elsewhere, nativeScheme, verifyIdentity))).toBe('evidence-invalid');
  });
});
