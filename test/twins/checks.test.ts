import { expect, test } from 'vitest';
import type { HotstuffMessage } from '../../src/hotstuff/messages.ts';
import type { VoteData } from '../../src/qc/ballot.ts';
import { chain, certificateOf, linkOn, linksOf, timeoutCertificateOf, GENESIS, type Link } from '../hotstuff/links.ts';
import { proposalMessage, signedCertificate, timeoutMessage, voteMessage } from '../hotstuff/signing.ts';
import { Checks, type Signer } from './checks.ts';

const [B1, B2] = linksOf(1, 2) as [Link, Link];
const OTHER = linkOn(GENESIS, 1, 'other');

function voteOf(link: Link): VoteData {
  return certificateOf(link).vote;
}

function signer(id: number, more: Partial<Signer> = {}): Signer {
  const uncommitted = new Map([B1, B2, OTHER].map((link) => [link.id, new Uint8Array()] as const));
  return { id, index: id, name: `${id}`, isTwin: false, durableRound: 9, disk: { uncommitted }, ...more };
}

/** @returns what was not so */
function told(by: Signer, ...messages: readonly HotstuffMessage[]): string[] {
  const found: string[] = [];
  const checks = new Checks(chain, ({ message }) => found.push(message));
  for (const message of messages) checks.sent(by, message);
  return found;
}

test('a second vote in a round, of a correct validator only', () => {
  const votes = [voteMessage(chain, 0, voteOf(B1)), voteMessage(chain, 0, voteOf(OTHER))];
  expect(told(signer(0), ...votes)).toEqual(['a correct validator votes once in a round']);
  expect(told(signer(0), votes[0]!, votes[0]!)).toEqual([]);
  expect(told(signer(0, { isTwin: true }), ...votes)).toEqual([]);
});

test('a vote after a timeout', () => {
  const gaveUp = timeoutMessage(chain, 0, 2, chain.genesisCertificate);
  expect(told(signer(0), gaveUp, voteMessage(chain, 0, voteOf(B2)))).toEqual([
    'no vote follows a timeout in its round',
  ]);
});

test('a timeout that changes', () => {
  const timeouts = [chain.genesisCertificate, signedCertificate(chain, voteOf(B1))].map((high) =>
    timeoutMessage(chain, 0, 2, high),
  );
  expect(told(signer(0), ...timeouts)).toContain('a correct validator sends one timeout for a round');
});

test('what is sent before it is on disk', () => {
  const forgetful = signer(0, { durableRound: 0 });
  const vote = voteMessage(chain, 0, voteOf(B1));
  expect(told(forgetful, vote)).toEqual(['a vote and its block are on disk before it is sent']);
  expect(told(signer(0, { disk: { uncommitted: new Map() } }), vote)).toHaveLength(1);
  expect(told(forgetful, timeoutMessage(chain, 0, 1, chain.genesisCertificate))).toEqual([
    'a timeout is on disk before it is sent',
  ]);
  expect(told(forgetful, proposalMessage(chain, B1, chain.genesisCertificate))).toEqual([
    'a proposal is on disk before it is sent',
  ]);
});

test('two proposals of a correct leader', () => {
  const proposals = [B1, OTHER].map((link) => proposalMessage(chain, link, chain.genesisCertificate));
  expect(told(signer(1), ...proposals)).toEqual(['a correct leader proposes once in a round']);
});

test('certificates that nobody signed, and two of one round', () => {
  expect(told(signer(0), { kind: 'certificate', certificate: certificateOf(B1) })).toContain(
    'a certificate names those who signed it',
  );
  expect(
    told(
      signer(0),
      { kind: 'certificate', certificate: certificateOf(B1) },
      { kind: 'certificate', certificate: certificateOf(OTHER) },
    ),
  ).toContain('at most one vote is certified in a round');
  expect(told(signer(0), { kind: 'timeoutCertificate', certificate: timeoutCertificateOf(2, B1) })).toContain(
    'a timeout certificate names those who signed it',
  );
});

test('two blocks of one height, a height that is left out, another state', () => {
  const found: string[] = [];
  const checks = new Checks(chain, ({ message }) => found.push(message));
  const sealOf = (link: Link) => {
    const sealed = { block: link.block, seal: { kind: 'hotstuff' as const, bytes: chain.genesis.sealed.seal.bytes } };
    return { block: link.block, sealed, changes: [] };
  };
  expect(() => checks.committed(signer(0), [sealOf(B2)], B2.header.stateRoot)).toThrow();
  expect(found).toEqual(['blocks are committed one height after the other']);
});

test('evidence against who has no twin', () => {
  const found: string[] = [];
  const checks = new Checks(chain, ({ message }) => found.push(message));
  checks.evidence(signer(0), 1, [1]);
  checks.evidence(signer(0), 2, [1]);
  expect(found).toEqual(['evidence is against the guilty']);
});
