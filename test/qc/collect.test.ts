import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { timeoutPreimage, votePreimage } from '../../src/qc/ballot.ts';
import { verifyCertificate, type VerifiedCertificate } from '../../src/qc/certificate.ts';
import {
  runCollectJob,
  type BallotSignature,
  type CollectJob,
  type CollectOutcome,
  type TimeoutsJob,
  type VotesJob,
} from '../../src/qc/collect.ts';
import type { SignatureScheme } from '../../src/qc/scheme.ts';
import { nativeScheme } from '../../src/qc/scheme-native.ts';
import { verifyTimeoutCertificate } from '../../src/qc/timeout-certificate.ts';
import { codeOf } from './refusal.ts';
import {
  certificateOf,
  chain,
  CHAIN_ID,
  contextOf,
  EPOCH,
  firstOf,
  secretKey,
  validatorSet,
  voteFor,
} from './validators.ts';

const vote = voteFor(9);

function run(job: CollectJob, n: number, scheme: SignatureScheme = nativeScheme): CollectOutcome {
  // As over the channel of a worker thread.
  return structuredClone(runCollectJob(structuredClone(job), validatorSet(n), scheme));
}

function honestVote(signer: number): BallotSignature {
  return { signer, signature: nativeScheme.sign(secretKey(signer), votePreimage(chain, vote)) };
}

/** Signs another block, or sends bytes that are no signature. */
function falseVote(signer: number, malformed = false): BallotSignature {
  const signature = nativeScheme.sign(secretKey(signer), votePreimage(chain, voteFor(9, 'another block')));
  return { signer, signature: malformed ? signature.fill(0xff, 1) : signature };
}

function votesJob(ballots: readonly BallotSignature[]): VotesJob {
  return { kind: 'votes', chainId: CHAIN_ID, epoch: EPOCH, vote, ballots };
}

function votes(ballots: readonly BallotSignature[], n = 4): CollectOutcome & { kind: 'votes' } {
  const outcome = run(votesJob(ballots), n);
  if (outcome.kind !== 'votes') throw new Error(outcome.kind);
  return outcome;
}

function counting(): { scheme: SignatureScheme; checks: () => number } {
  let count = 0;
  const verifyAggregateOfDistinct: SignatureScheme['verifyAggregateOfDistinct'] = (...args) => {
    count++;
    return nativeScheme.verifyAggregateOfDistinct(...args);
  };
  return { scheme: { ...nativeScheme, verifyAggregateOfDistinct }, checks: () => count };
}

describe('collecting votes', () => {
  it('makes a certificate that verifies, with the signers in order, whatever the order of arrival', () => {
    const { certificate, culprits } = votes([3, 0, 2].map(honestVote));
    expect(culprits).toEqual([]);
    expect(certificate?.signers).toEqual([0, 2, 3]);
    expect(codeOf(verifyCertificate(certificate as VerifiedCertificate, contextOf(4), nativeScheme))).toBe('accepted');
    expect(certificate).toEqual(certificateOf(vote, [0, 2, 3]));
  });

  it('checks honest votes once, however many they are', () => {
    const { scheme, checks } = counting();
    const outcome = run(votesJob(firstOf(31).map(honestVote)), 31, scheme);
    expect(outcome).toMatchObject({ certificate: { signers: firstOf(31) }, culprits: [] });
    expect(checks()).toBe(1);
  });

  it('names the culprit and still makes the certificate when the honest are a quorum', () => {
    for (const malformed of [false, true]) {
      const { certificate, culprits } = votes([honestVote(0), falseVote(1, malformed), honestVote(2), honestVote(3)]);
      expect(culprits).toEqual([1]);
      expect(certificate).toEqual(certificateOf(vote, [0, 2, 3]));
    }
  });

  it('names the culprit and makes no certificate when the honest are too few', () => {
    expect(votes([honestVote(0), falseVote(1), honestVote(2)])).toMatchObject({ certificate: null, culprits: [1] });
    expect(votes([falseVote(0), falseVote(1), falseVote(2)])).toMatchObject({ certificate: null, culprits: [0, 1, 2] });
    expect(votes([honestVote(0), honestVote(1)])).toMatchObject({ certificate: null, culprits: [] });
    expect(votes([])).toMatchObject({ certificate: null, culprits: [] });
  });

  it('makes no certificate of a half of six', () => {
    expect(votes([0, 1, 2].map(honestVote), 6)).toMatchObject({ certificate: null, culprits: [] });
    expect(votes([0, 1, 2, 3].map(honestVote), 6)).toMatchObject({ certificate: null });
    expect(votes([0, 1, 2, 3, 4].map(honestVote), 6).certificate?.signers).toEqual([0, 1, 2, 3, 4]);
  });

  it('finds one culprit among 31 by bisection, not one by one', () => {
    const { scheme, checks } = counting();
    const ballots = firstOf(31).map((i) => (i === 17 ? falseVote(i) : honestVote(i)));
    const outcome = run(votesJob(ballots), 31, scheme);
    expect(outcome).toMatchObject({ culprits: [17] });
    expect(checks()).toBeLessThanOrEqual(12);
  });

  it('is not hindered by false signatures that cancel out: their sum is what counts', () => {
    // Two colluding validators swap their signatures: each is false, the aggregate is true.
    const [a, b] = [honestVote(0), honestVote(1)];
    const swapped = [
      { signer: 0, signature: b.signature },
      { signer: 1, signature: a.signature },
    ];
    const { certificate, culprits } = votes([...swapped, honestVote(2), falseVote(3)]);
    expect(culprits).toContain(3);
    if (certificate !== null) {
      expect(codeOf(verifyCertificate(certificate, contextOf(4), nativeScheme))).toBe('accepted');
    }
    expect(votes([...swapped, honestVote(2)]).certificate).toEqual(certificateOf(vote, [0, 1, 2]));
  });

  it('finds exactly the culprits, whoever they are, and certifies the rest where it is a quorum', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.nat(6), { maxLength: 5 }), fc.nat(1), (liars, style) => {
        const ballots = firstOf(7).map((i) => (liars.includes(i) ? falseVote(i, style === 1) : honestVote(i)));
        const honest = firstOf(7).filter((i) => !liars.includes(i));
        const { certificate, culprits } = votes(ballots, 7);
        expect(culprits).toEqual(liars.toSorted((a, b) => a - b));
        expect(certificate?.signers ?? null).toEqual(honest.length >= 5 ? honest : null);
      }),
      { seed: 4, numRuns: 25 },
    );
  });

  it('is given each signer once, members only, of its own epoch: all else is a bug of the collector', () => {
    expect(() => votes([honestVote(0), honestVote(0), honestVote(1)])).toThrow('a signer is collected once');
    expect(() => votes([0, 1, 2, 3, 4].map(honestVote))).toThrow('the index is of a member');
    expect(() => run({ ...votesJob([]), epoch: 1 }, 4)).toThrow("the job is of the set's epoch");
  });
});

describe('collecting timeouts', () => {
  const high = certificateOf(voteFor(5), [0, 1, 2]) as VerifiedCertificate;
  const lower = certificateOf(voteFor(3), [0, 1, 2]) as VerifiedCertificate;

  function timeout(signer: number, highRound: number, round = 7): TimeoutsJob['ballots'][number] {
    const preimage = timeoutPreimage(chain, { round, highRound });
    return { signer, highRound, signature: nativeScheme.sign(secretKey(signer), preimage) };
  }

  function timeouts(
    ballots: TimeoutsJob['ballots'],
    highCertificates = [high, lower],
  ): CollectOutcome & { kind: 'timeouts' } {
    const job: TimeoutsJob = { kind: 'timeouts', chainId: CHAIN_ID, epoch: EPOCH, round: 7, ballots, highCertificates };
    const outcome = run(job, 4);
    if (outcome.kind !== 'timeouts') throw new Error(outcome.kind);
    return outcome;
  }

  function verdict({ certificate }: CollectOutcome & { kind: 'timeouts' }): string {
    return certificate === null ? 'none' : codeOf(verifyTimeoutCertificate(certificate, contextOf(4), nativeScheme));
  }

  it('makes a certificate that verifies, of what each knew', () => {
    const outcome = timeouts([timeout(3, 5), timeout(0, 3), timeout(1, 5)]);
    expect(verdict(outcome)).toBe('accepted');
    expect(outcome.certificate).toMatchObject({ signers: [0, 1, 3], highRounds: [3, 5, 5], highCertificate: high });
    expect(outcome.culprits).toEqual([]);
  });

  it('leaves out a culprit and takes the highest certificate of the rest', () => {
    const lie = { ...timeout(1, 5), signature: timeout(1, 4).signature };
    const outcome = timeouts([timeout(0, 3), lie, timeout(2, 3), timeout(3, 2)]);
    expect(verdict(outcome)).toBe('accepted');
    expect(outcome.culprits).toEqual([1]);
    expect(outcome.certificate).toMatchObject({ highRounds: [3, 3, 2], highCertificate: lower });
  });

  it('takes one whose highest round is not below its own for a culprit', () => {
    const outcome = timeouts([timeout(0, 5), timeout(1, 7), timeout(2, 5), timeout(3, 5)]);
    expect(outcome.culprits).toEqual([1]);
    expect(verdict(outcome)).toBe('accepted');
    expect(timeouts([timeout(0, 5), timeout(1, 8), timeout(2, 5)])).toMatchObject({ certificate: null, culprits: [1] });
  });

  it('makes none without a quorum or without the certificate of the highest round', () => {
    expect(verdict(timeouts([timeout(0, 5), timeout(1, 5)]))).toBe('none');
    expect(verdict(timeouts([timeout(0, 5), timeout(1, 3), timeout(2, 3)], [lower]))).toBe('none');
    expect(verdict(timeouts([]))).toBe('none');
  });

  it('does not count a timeout of another round', () => {
    expect(timeouts([timeout(0, 5), timeout(1, 5, 6), timeout(2, 5)])).toMatchObject({
      certificate: null,
      culprits: [1],
    });
  });
});

describe('checking one ballot', () => {
  it('says whether its signer signed it', () => {
    const job = { kind: 'ballot', chainId: CHAIN_ID, epoch: EPOCH, ballot: { kind: 'vote', ...vote } } as const;
    expect(run({ ...job, ...honestVote(2) }, 4)).toMatchObject({ kind: 'ballot', signer: 2, valid: true });
    expect(run({ ...job, ...honestVote(2), signer: 1 }, 4)).toMatchObject({ valid: false });
    expect(run({ ...job, ...falseVote(2) }, 4)).toMatchObject({ valid: false });
  });

  it('refuses a timeout whose highest round is not below its own', () => {
    const check = (round: number, highRound: number): CollectOutcome => {
      const signature = nativeScheme.sign(secretKey(1), timeoutPreimage(chain, { round, highRound }));
      const ballot = { kind: 'timeout', round, highRound } as const;
      return run({ kind: 'ballot', chainId: CHAIN_ID, epoch: EPOCH, ballot, signer: 1, signature }, 4);
    };
    expect(check(7, 6)).toMatchObject({ valid: true });
    expect(check(7, 7)).toMatchObject({ valid: false });
  });
});
