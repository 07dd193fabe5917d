import { beforeEach, describe, expect, test } from 'vitest';
import { toBase64 } from '../../src/base/base64.ts';
import { refuse } from '../../src/base/result.ts';
import type { EvidenceRecordedEvent } from '../../src/ledger/event-schema.ts';
import { checkEvidence } from '../../src/node/evidence-check.ts';
import { votePreimage } from '../../src/qc/ballot.ts';
import { evidenceCodec, makeEvidence, type Evidence } from '../../src/qc/evidence.ts';
import { START, testChain } from '../hotstuff/chain.ts';
import { hashOf, voteFor } from '../qc/validators.ts';
import { codeOf } from '../qc/refusal.ts';
import { InPlaceVerifier } from './in-place-verifier.ts';

const chain = testChain(4);
const { chainId, validators } = chain;
const context = { chainId, validators, genesis: chain.genesisCertificate };
const OFFENDER = 2;

let verifier: InPlaceVerifier;

beforeEach(() => {
  verifier = new InPlaceVerifier(context, chain.scheme);
});

function signedVote(round: number, name: string) {
  const ballot = { ...voteFor(round), blockId: hashOf(name) };
  const secretKey = chain.secretKeys[OFFENDER] as Uint8Array;
  return { ballot, signature: chain.scheme.sign(secretKey, votePreimage({ chainId, epoch: 0 }, ballot)) };
}

const twoVotes = (epoch = 0): Evidence =>
  makeEvidence(
    { kind: 'votes', epoch, offender: OFFENDER, first: signedVote(3, 'a'), second: signedVote(3, 'b') },
    chainId,
  );

const reporter = validators.member(0).peerId;
const offender = validators.member(OFFENDER).peerId;

function eventOf(evidence: Evidence | string, fields: Partial<EvidenceRecordedEvent> = {}): EvidenceRecordedEvent {
  const encoded = typeof evidence === 'string' ? evidence : toBase64(evidenceCodec.encode(evidence));
  return {
    type: 'evidenceRecorded',
    peerId: reporter,
    seq: 1,
    time: START,
    epoch: 0,
    offender,
    evidence: encoded,
    ...fields,
  };
}

const check = async (event: EvidenceRecordedEvent) => codeOf(await checkEvidence(event, validators, verifier));

describe('the check of evidence', () => {
  test('accepts two votes of one validator for one round, as work that may wait', async () => {
    expect(await check(eventOf(twoVotes()))).toBe('accepted');
    expect(verifier.jobs).toEqual([{ kind: 'evidence', urgency: 'bulk' }]);
  });

  test.each([
    ['not-a-validator', eventOf(twoVotes(), { peerId: '12D3KooWPjceQrSwdWXPyLLeABRXmuqt69Rg3sBYbU1Nft9HyQ6X' })],
    ['evidence-malformed', eventOf(toBase64(new Uint8Array(10)))],
    ['evidence-mismatch', eventOf(twoVotes(), { offender: reporter })],
    ['evidence-mismatch', eventOf(twoVotes(), { epoch: 1 })],
  ])('refuses as `%s` without a pairing', async (code, event) => {
    expect(await check(event)).toBe(code);
    expect(verifier.jobs).toEqual([]);
  });

  test('refuses what the signatures do not bear out', async () => {
    const [first, second] = [signedVote(3, 'a'), signedVote(3, 'b')];
    const forged = { ...second, signature: first.signature };
    const evidence = makeEvidence({ kind: 'votes', epoch: 0, offender: OFFENDER, first, second: forged }, chainId);
    expect(await check(eventOf(evidence))).toBe('evidence-invalid');
  });

  test('can be too busy to say', async () => {
    verifier.refusing = refuse('verification-busy', 'text');
    expect(await check(eventOf(twoVotes()))).toBe('verification-busy');
  });
});
