import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { unwrap } from '../../src/base/result.ts';
import { timeoutPreimage } from '../../src/qc/ballot.ts';
import { genesisCertificate, type QuorumCertificate, type VerifiedCertificate } from '../../src/qc/certificate.ts';
import type { SignatureScheme } from '../../src/qc/scheme.ts';
import { nativeScheme } from '../../src/qc/scheme-native.ts';
import { nobleScheme } from '../../src/qc/scheme-noble.ts';
import {
  checkTimeoutCertificateForm,
  MAX_TIMEOUT_CERTIFICATE_BYTES,
  timeoutCertificateCodec,
  timeoutCertificateDigest,
  timeoutCertificateVerifiedBefore,
  verifyTimeoutCertificate,
  type TimeoutCertificate,
} from '../../src/qc/timeout-certificate.ts';
import { codeOf } from './refusal.ts';
import { certificateOf, chain, contextOf, EPOCH, firstOf, GENESIS, hashOf, secretKey, voteFor } from './validators.ts';

const context = contextOf(4);

/** @param timeouts what each signer names as its highest round, by signer */
function timeoutCertificateOf(
  round: number,
  timeouts: Readonly<Record<number, number>>,
  highCertificate: QuorumCertificate,
  on = chain,
): TimeoutCertificate {
  const signers = Object.keys(timeouts).map(Number);
  const highRounds = Object.values(timeouts);
  const signatures = signers.map((signer, i) =>
    nativeScheme.sign(secretKey(signer), timeoutPreimage(on, { round, highRound: highRounds[i] as number })),
  );
  const signature = unwrap(nativeScheme.aggregate(signatures));
  return { epoch: on.epoch, round, signers, highRounds, signature, highCertificate };
}

function verdict(certificate: TimeoutCertificate, on = context, known?: VerifiedCertificate): string {
  return codeOf(verifyTimeoutCertificate(certificate, on, nativeScheme, known));
}

const high = certificateOf(voteFor(5), [0, 1, 2]);
const certificate = timeoutCertificateOf(7, { 0: 5, 2: 3, 3: 5 }, high);

describe('a timeout certificate', () => {
  it('verifies with either scheme, whether its signers knew the same round or different ones', () => {
    expect(verdict(certificate)).toBe('accepted');
    expect(codeOf(verifyTimeoutCertificate(certificate, context, nobleScheme))).toBe('accepted');
    expect(verdict(timeoutCertificateOf(7, { 0: 5, 1: 5, 2: 5, 3: 5 }, high))).toBe('accepted');
    expect(verdict(timeoutCertificateOf(7, { 0: 2, 1: 3, 2: 4, 3: 5 }, high))).toBe('accepted');
    expect(codeOf(checkTimeoutCertificateForm(certificate, context))).toBe('accepted');
  });

  it('verifies over the genesis certificate', () => {
    expect(verdict(timeoutCertificateOf(1, { 0: 0, 1: 0, 2: 0 }, GENESIS))).toBe('accepted');
  });

  it('decodes to itself, and 128 signers fit', () => {
    expect(unwrap(timeoutCertificateCodec.decode(timeoutCertificateCodec.encode(certificate)))).toEqual(certificate);
    const large = {
      ...certificate,
      signers: firstOf(128),
      highRounds: firstOf(128).map(() => Number.MAX_SAFE_INTEGER),
      highCertificate: certificateOf(voteFor(Number.MAX_SAFE_INTEGER), firstOf(128)),
    };
    expect(timeoutCertificateCodec.encode(large).length).toBeLessThanOrEqual(MAX_TIMEOUT_CERTIFICATE_BYTES);
  });

  it('has distinct members for signers, a quorum of them', () => {
    expect(verdict(timeoutCertificateOf(7, { 0: 5, 1: 5 }, high))).toBe('quorum-missing');
    expect(verdict(timeoutCertificateOf(7, { 0: 5, 1: 5, 2: 5 }, high), contextOf(6))).toBe('quorum-missing');
    expect(verdict({ ...certificate, signers: [0, 0, 3] })).toBe('signers-unordered');
    expect(verdict({ ...certificate, signers: [0, 2, 4] })).toBe('signer-unknown');
  });

  it('has one round for each signer, each below its own', () => {
    expect(verdict({ ...certificate, highRounds: [5, 3] })).toBe('high-rounds-mismatch');
    expect(verdict({ ...certificate, highRounds: [5, 3, 5, 5] })).toBe('high-rounds-mismatch');
    const own = certificateOf(voteFor(7), [0, 1, 2]);
    expect(verdict(timeoutCertificateOf(7, { 0: 5, 2: 3, 3: 7 }, own))).toBe('high-round-too-high');
  });

  it('carries the certificate of the highest round that was signed, neither lower nor higher', () => {
    const lower = certificateOf(voteFor(3), [0, 1, 2]);
    const higher = certificateOf(voteFor(6), [0, 1, 2]);
    expect(verdict({ ...certificate, highCertificate: lower })).toBe('high-certificate-mismatch');
    expect(verdict({ ...certificate, highCertificate: higher })).toBe('high-certificate-mismatch');
    expect(verdict({ ...certificate, highCertificate: GENESIS })).toBe('high-certificate-mismatch');
  });

  it('carries a certificate that itself verifies', () => {
    const forged = { ...high, signers: [0, 1, 3] };
    expect(verdict({ ...certificate, highCertificate: forged })).toBe('certificate-invalid');
    const short = certificateOf(voteFor(5), [0, 1]);
    expect(verdict({ ...certificate, highCertificate: short })).toBe('quorum-missing');
    const foreign = genesisCertificate(EPOCH, hashOf('another'));
    expect(verdict(timeoutCertificateOf(1, { 0: 0, 1: 0, 2: 0 }, foreign))).toBe('false-genesis-certificate');
  });

  it('is of one epoch, its high certificate too', () => {
    const next = { ...chain, epoch: 1 };
    expect(verdict(timeoutCertificateOf(7, { 0: 5, 1: 5, 2: 5 }, high, next))).toBe('epoch-mismatch');
    const mixed = { ...certificate, highCertificate: certificateOf(voteFor(5), [0, 1, 2], next) };
    expect(verdict(mixed)).toBe('epoch-mismatch');
  });

  it('is refused when another round was signed than it says', () => {
    expect(verdict({ ...certificate, highRounds: [3, 5, 5] })).toBe('timeout-certificate-invalid');
    expect(verdict({ ...certificate, round: 8 })).toBe('timeout-certificate-invalid');
    expect(verdict({ ...certificate, signers: [0, 1, 3] })).toBe('timeout-certificate-invalid');
    expect(verdict({ ...certificate, signature: high.signature })).toBe('timeout-certificate-invalid');
    const elsewhere = timeoutCertificateOf(7, { 0: 5, 2: 3, 3: 5 }, high, { ...chain, chainId: 'another' });
    expect(verdict(elsewhere)).toBe('timeout-certificate-invalid');
  });

  it('has its high certificate verified once: not again where it is a known one, byte for byte', () => {
    const known = high as VerifiedCertificate;
    let aggregates = 0;
    const counting: SignatureScheme = {
      ...nativeScheme,
      verifyAggregate: (...args) => {
        aggregates++;
        return nativeScheme.verifyAggregate(...args);
      },
    };
    expect(codeOf(verifyTimeoutCertificate(certificate, context, counting, known))).toBe('accepted');
    expect(aggregates).toBe(0);
    const forged = { ...certificate, highCertificate: { ...high, signers: [0, 1, 3] } };
    expect(codeOf(verifyTimeoutCertificate(forged, context, counting, known))).toBe('certificate-invalid');
    expect(aggregates).toBe(1);
  });

  it('is refused with any bit changed', () => {
    const encoded = timeoutCertificateCodec.encode(certificate);
    fc.assert(
      fc.property(fc.nat(encoded.length * 8 - 1), (bit) => {
        const altered = encoded.slice();
        altered[bit >>> 3] = (altered[bit >>> 3] as number) ^ (1 << (bit & 7));
        const decoded = timeoutCertificateCodec.decode(altered);
        if (decoded.ok) expect(verdict(decoded.value)).not.toBe('accepted');
      }),
      { seed: 3, numRuns: 500 },
    );
  });

  it('has a digest over all of it', () => {
    const other = timeoutCertificateOf(7, { 0: 5, 1: 5, 3: 5 }, high);
    expect(timeoutCertificateDigest(other)).not.toBe(timeoutCertificateDigest(certificate));
    expect(timeoutCertificateVerifiedBefore(certificate)).toBe(certificate);
  });
});
