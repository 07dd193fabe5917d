import { beforeAll, describe, expect, it } from 'vitest';
import { ZERO_HASH } from '../../src/base/hash.ts';
import { unwrap } from '../../src/base/result.ts';
import {
  certificateCodec,
  certificateDigest,
  certificateVerifiedBefore,
  checkCertificateForm,
  genesisCertificate,
  MAX_CERTIFICATE_BYTES,
  verifyCertificate,
  type QuorumCertificate,
} from '../../src/qc/certificate.ts';
import { nativeScheme } from '../../src/qc/scheme-native.ts';
import { nobleScheme } from '../../src/qc/scheme-noble.ts';
import { codeOf } from './refusal.ts';
import { certificateOf, chain, contextOf, EPOCH, firstOf, GENESIS, hashOf, secretKey, voteFor } from './validators.ts';

const context = contextOf(4);

function verdict(certificate: QuorumCertificate, on = context): string {
  return codeOf(verifyCertificate(certificate, on, nativeScheme));
}

describe('a quorum certificate', () => {
  const certificate = certificateOf(voteFor(5), [0, 1, 3]);

  it('verifies with either scheme', () => {
    expect(verdict(certificate)).toBe('accepted');
    expect(codeOf(verifyCertificate(certificate, context, nobleScheme))).toBe('accepted');
    expect(codeOf(checkCertificateForm(certificate, context))).toBe('accepted');
    expect(verdict(certificateOf({ ...voteFor(5), commit: null }, [0, 1, 2, 3]))).toBe('accepted');
  });

  it('verifies for one validator, and for 128', () => {
    expect(verdict(certificateOf(voteFor(5), [0]), contextOf(1))).toBe('accepted');
    const large = certificateOf(voteFor(Number.MAX_SAFE_INTEGER), firstOf(128));
    const withNextSet = {
      ...large,
      epoch: Number.MAX_SAFE_INTEGER,
      vote: { ...large.vote, commit: large.vote.commit && { ...large.vote.commit, nextValidatorSet: hashOf('set') } },
    };
    expect(verdict(large, contextOf(128))).toBe('accepted');
    expect(certificateCodec.encode(withNextSet).length).toBeLessThanOrEqual(MAX_CERTIFICATE_BYTES);
  });

  it('decodes to itself', () => {
    expect(unwrap(certificateCodec.decode(certificateCodec.encode(certificate)))).toEqual(certificate);
  });

  it('needs a quorum: two of four are too few, and for n = 6 so is a half', () => {
    expect(verdict(certificateOf(voteFor(5), [0, 1]))).toBe('quorum-missing');
    expect(verdict(certificateOf(voteFor(5), [0, 1, 2]), contextOf(6))).toBe('quorum-missing');
    expect(verdict(certificateOf(voteFor(5), [3, 4, 5]), contextOf(6))).toBe('quorum-missing');
    expect(verdict(certificateOf(voteFor(5), [0, 1, 2, 3, 4]), contextOf(6))).toBe('accepted');
  });

  it('counts no signer twice', () => {
    expect(verdict({ ...certificate, signers: [0, 1, 1] })).toBe('signers-unordered');
    expect(verdict({ ...certificate, signers: [1, 0, 3] })).toBe('signers-unordered');
  });

  it('names members only', () => {
    expect(verdict({ ...certificate, signers: [0, 1, 4] })).toBe('signer-unknown');
  });

  it('is of the epoch that judges it', () => {
    expect(verdict(certificateOf(voteFor(5), [0, 1, 2], { ...chain, epoch: 1 }))).toBe('epoch-mismatch');
    expect(verdict({ ...certificate, epoch: 1 })).toBe('epoch-mismatch');
  });

  it('is of the chain that judges it', () => {
    expect(verdict(certificateOf(voteFor(5), [0, 1, 2], { ...chain, chainId: 'another' }))).toBe('certificate-invalid');
    expect(verdict(certificate, { ...context, chainId: 'another' })).toBe('certificate-invalid');
  });

  it('was signed in the epoch that it claims', () => {
    const other = certificateOf(voteFor(5), [0, 1, 2], { ...chain, epoch: 1 });
    expect(verdict({ ...other, epoch: EPOCH })).toBe('certificate-invalid');
  });

  it('cannot be inflated to another round or given other signers', () => {
    expect(verdict({ ...certificate, vote: { ...certificate.vote, round: 6 } })).toBe('certificate-invalid');
    expect(verdict({ ...certificate, signers: [0, 1, 2] })).toBe('certificate-invalid');
    expect(verdict({ ...certificate, signers: [0, 1, 2, 3] })).toBe('certificate-invalid');
  });

  it('has a signature of 96 bytes, a point', () => {
    expect(verdict({ ...certificate, signature: new Uint8Array(0) })).toBe('signature-malformed');
    expect(verdict({ ...certificate, signature: new Uint8Array(95) })).toBe('signature-malformed');
    expect(verdict({ ...certificate, signature: new Uint8Array(96) })).toBe('certificate-invalid');
  });

  it('is not a signature of another kind: a timeout or a possession signs no vote', () => {
    const forged = { ...certificate, signers: [0, 1, 2], signature: nativeScheme.sign(secretKey(0), Uint8Array.of(2)) };
    expect(verdict(forged)).toBe('certificate-invalid');
  });

  it('has a digest over all of it, so that another quorum for the same block has another', () => {
    const other = certificateOf(voteFor(5), [0, 1, 2]);
    expect(certificateDigest(other)).not.toBe(certificateDigest(certificate));
    expect(certificateDigest(certificateOf(voteFor(5), [0, 1, 3]))).toBe(certificateDigest(certificate));
  });

  it('that this node has verified before is taken from its own disk as it is', () => {
    expect(certificateVerifiedBefore(certificate)).toBe(certificate);
  });
});

describe('a genesis certificate', () => {
  it('is one constant: round 0, no parent, no signers, committing nothing', () => {
    expect(GENESIS).toEqual({
      epoch: 0,
      vote: { round: 0, blockId: hashOf('genesis'), parentRound: 0, parentId: ZERO_HASH, commit: null },
      signers: [],
      signature: new Uint8Array(0),
    });
    expect(verdict(GENESIS)).toBe('accepted');
    expect(unwrap(certificateCodec.decode(certificateCodec.encode(GENESIS)))).toEqual(GENESIS);
  });

  it.each([
    ['another block', genesisCertificate(EPOCH, hashOf('another'))],
    ['another parent', { ...GENESIS, vote: { ...GENESIS.vote, parentId: hashOf('parent') } }],
    ['another parent round', { ...GENESIS, vote: { ...GENESIS.vote, parentRound: 1 } }],
    ['commit info', { ...GENESIS, vote: { ...voteFor(1), round: 0 } }],
    ['signers', { ...GENESIS, signers: [0, 1, 2] }],
    ['a signature', { ...GENESIS, signature: new Uint8Array(96) }],
    ['a quorum that signed it', certificateOf(GENESIS.vote, [0, 1, 2])],
  ])('with %s is false', (_, certificate) => {
    expect(verdict(certificate)).toBe('false-genesis-certificate');
  });

  it('of another epoch is of another epoch', () => {
    expect(verdict(genesisCertificate(1, hashOf('genesis')))).toBe('epoch-mismatch');
  });
});

describe('every single bit of an encoded certificate', () => {
  const encoded = certificateCodec.encode(certificateOf(voteFor(5), [0, 1, 2]));
  const accepted: number[] = [];
  const codes = new Set<string>();

  beforeAll(() => {
    for (let bit = 0; bit < encoded.length * 8; bit++) {
      const altered = encoded.slice();
      altered[bit >>> 3] = (altered[bit >>> 3] as number) ^ (1 << (bit & 7));
      const decoded = certificateCodec.decode(altered);
      const code = decoded.ok ? verdict(decoded.value) : decoded.refusal.code;
      codes.add(code);
      if (code === 'accepted') accepted.push(bit);
    }
  });

  it('counts: changed, the certificate is refused', () => {
    expect(accepted).toEqual([]);
  });

  it('is refused by the codec, by form and by the signature alike', () => {
    for (const code of ['undecodable', 'epoch-mismatch', 'quorum-missing', 'certificate-invalid']) {
      expect(codes).toContain(code);
    }
  });
});
