import { describe, expect, it } from 'vitest';
import fc from 'fast-check';
import { unwrap } from '../../src/base/result.ts';
import type { HotstuffMessage } from '../../src/hotstuff/messages.ts';
import { decodeStoredBlock, encodeStoredBlock } from '../../src/hotstuff/stored-block.ts';
import { decodeMessage, decodeStoredBlocks, encodeMessage, withSignature } from '../../src/hotstuff/wire.ts';
import { makeBlock } from '../../src/ledger/block.ts';
import { joinOf } from './chain.ts';
import { certificateOf, chain, GENESIS, linksOf, type Link } from './links.ts';
import {
  proposalMessage,
  signedCertificate,
  signedTimeoutCertificate,
  timeoutMessage,
  voteMessage,
} from './signing.ts';

const [B1, B2] = linksOf(1, 2) as [Link, Link];
const C1 = certificateOf(B1);
const vote = certificateOf(B2).vote;
const T4 = signedTimeoutCertificate(chain, 4, signedCertificate(chain, C1.vote));
const { header } = B1.block;
const full = makeBlock({ ...header, timestamp: header.timestamp }, [joinOf(chain, 1), joinOf(chain, 2)]);

const messages: HotstuffMessage[] = [
  proposalMessage(chain, { block: full }, chain.genesisCertificate),
  proposalMessage(chain, B2, C1, T4),
  voteMessage(chain, 1, vote),
  timeoutMessage(chain, 2, 2, C1),
  timeoutMessage(chain, 2, 5, C1, T4),
  { kind: 'certificate', certificate: C1 },
  { kind: 'timeoutCertificate', certificate: T4 },
  { kind: 'witness', epoch: 0, asks: true, vote: null, timeout: null },
  {
    kind: 'witness',
    epoch: 0,
    asks: false,
    vote: { ballot: vote, signature: voteMessage(chain, 0, vote).signature },
    timeout: { ballot: { round: 7, highRound: 3 }, signature: timeoutMessage(chain, 0, 2, C1).signature },
  },
  {
    kind: 'blocks',
    blocks: [
      { block: B2.block, justify: C1 },
      { block: B1.block, justify: chain.genesisCertificate },
    ],
  },
];

function codeOf(bytes: Uint8Array, chainId = chain.chainId): string {
  const decoded = decodeMessage(chainId, bytes);
  return decoded.ok ? 'decoded' : decoded.refusal.code;
}

describe('every message', () => {
  it.each(messages.map((message, index) => ({ index, kind: message.kind, message })))(
    '($index, $kind) comes back the same, and encodes to the same bytes',
    ({ message }) => {
      const bytes = encodeMessage(message);
      const decoded = unwrap(decodeMessage(chain.chainId, bytes));
      expect(decoded).toEqual(message);
      expect(encodeMessage(decoded)).toEqual(bytes);
    },
  );

  it('is refused when a byte of it is changed, or it is what those bytes say', () => {
    const encoded = messages.map(encodeMessage);
    const change = fc.record({
      message: fc.nat(encoded.length - 1),
      at: fc.nat(),
      by: fc.integer({ min: 1, max: 255 }),
    });
    fc.assert(
      fc.property(change, ({ message, at, by }) => {
        const bytes = Uint8Array.from(encoded[message] as Uint8Array);
        bytes[at % bytes.length] = ((bytes[at % bytes.length] as number) + by) % 256;
        const decoded = decodeMessage(chain.chainId, bytes);
        if (decoded.ok) expect(encodeMessage(decoded.value)).toEqual(bytes);
      }),
    );
  });

  it('is refused when it is cut short, empty or followed by anything', () => {
    for (const bytes of messages.map(encodeMessage)) {
      expect(codeOf(bytes.subarray(0, bytes.length - 1))).toBe('undecodable');
      expect(['undecodable', 'non-canonical']).toContain(codeOf(Uint8Array.of(...bytes, 0)));
    }
    expect(codeOf(new Uint8Array(0))).toBe('undecodable');
  });
});

describe('a block', () => {
  it('of another chain is refused', () => {
    expect(codeOf(encodeMessage(messages[0] as HotstuffMessage), 'another-chain')).toBe('chain-id-mismatch');
  });

  it('with another certificate than its header names is refused, in a proposal and on disk', () => {
    const other = certificateOf(GENESIS);
    expect(codeOf(encodeMessage(proposalMessage(chain, B2, other)))).toBe('justify-mismatch');
    const stored = decodeStoredBlock(chain.chainId, encodeStoredBlock({ block: B2.block, justify: other }));
    expect(stored.ok ? '' : stored.refusal.code).toBe('justify-mismatch');
    const all = decodeStoredBlocks(chain.chainId, [encodeStoredBlock({ block: B2.block, justify: other })]);
    expect(all.ok ? '' : all.refusal.code).toBe('justify-mismatch');
  });
});

describe('a proposal', () => {
  it('with a certificate of the right block that its header does not name is refused', () => {
    const sameBlock = { ...C1, signers: [1, 2, 3] };
    expect(codeOf(encodeMessage(proposalMessage(chain, B2, sameBlock)))).toBe('justify-mismatch');
  });
});

describe('a ballot', () => {
  it('is signed before it travels', () => {
    const unsigned = { ...voteMessage(chain, 1, vote), signature: new Uint8Array(0) };
    expect(() => encodeMessage(unsigned)).toThrow('signed before it travels');
    const signed = withSignature(unsigned, new Uint8Array(96).fill(1));
    expect(codeOf(encodeMessage(signed))).toBe('decoded');
    expect(() => withSignature({ kind: 'certificate', certificate: C1 }, new Uint8Array(96))).toThrow('are cast');
  });
});
