import { describe, expect, it } from 'vitest';
import { checkJustification } from '../../src/hotstuff/proposal-rules.ts';
import { certificateVerifiedBefore } from '../../src/qc/certificate.ts';
import { certificateOf, GENESIS, linkOn, linksOf, timeoutCertificateOf, type Link } from './links.ts';

/**
 *     genesis <--- B1 <--- B2 <--- B3
 */
const [B1, B2, B3] = linksOf(1, 2, 3) as [Link, Link, Link];

function judged(
  block: Link,
  parent: Link,
  justify = certificateOf(parent),
  skipped: number | null = null,
  high = parent,
) {
  const timeoutCertificate = skipped === null ? null : timeoutCertificateOf(skipped, high);
  const result = checkJustification(block.header, parent, { justify, timeoutCertificate });
  return result.ok ? 'justified' : result.refusal.code;
}

describe('a proposal', () => {
  it('is justified by the certificate of the round before', () => {
    expect(judged(B1, GENESIS)).toBe('justified');
    expect(judged(B3, B2)).toBe('justified');
  });

  it('is justified after a timeout by a certificate that is not below those of the validators that gave up', () => {
    expect(judged(linkOn(B2, 5), B2, certificateOf(B2), 4)).toBe('justified');
  });

  it.each([
    {
      name: "another block's certificate",
      code: 'justify-mismatch',
      found: judged(B3, B2, certificateOf(B1)),
    },
    {
      name: 'an inflated certificate',
      code: 'justify-round-mismatch',
      found: judged(
        linkOn(B2, 6),
        B2,
        certificateVerifiedBefore({ ...certificateOf(B2), vote: { ...certificateOf(B2).vote, round: 5 } }),
      ),
    },
    {
      name: 'an unexplained gap',
      code: 'round-not-justified',
      found: judged(linkOn(B2, 5), B2),
    },
    {
      name: 'a timeout certificate of elsewhere',
      code: 'round-not-justified',
      found: judged(linkOn(B2, 6), B2, certificateOf(B2), 4),
    },
    {
      name: 'a needless timeout certificate',
      code: 'timeout-certificate-unwanted',
      found: judged(B3, B2, certificateOf(B2), 2, B1),
    },
    {
      name: 'a certificate too low',
      code: 'certificate-below-timeouts',
      found: judged(linkOn(B1, 5), B1, certificateOf(B1), 4, B2),
    },
    {
      name: 'another parent',
      code: 'wrong-parent',
      found: judged({ ...B3, header: { ...B3.header } }, B1, certificateOf(B2)),
    },
    {
      name: 'a height that does not follow',
      code: 'wrong-height',
      found: judged({ ...B3, header: { ...B3.header, height: 9 } }, B2),
    },
    {
      name: 'a round that is not above its parent',
      code: 'round-not-above-parent',
      found: judged({ ...B3, header: { ...B3.header, round: 2 } }, B2),
    },
  ])('with $name is refused', ({ code, found }) => {
    expect(found).toBe(code);
  });
});
