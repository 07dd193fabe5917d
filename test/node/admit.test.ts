import fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import { equalBytes } from '../../src/base/bytes.ts';
import { ok, refuse, unwrap } from '../../src/base/result.ts';
import type { AdmissionView } from '../../src/hotstuff/admission.ts';
import type { HotstuffMessage } from '../../src/hotstuff/messages.ts';
import { encodeStoredBlock } from '../../src/hotstuff/stored-block.ts';
import { encodeMessage } from '../../src/hotstuff/wire.ts';
import { encodeSealedBlock, makeBlock } from '../../src/ledger/block.ts';
import { encodeCommitProof } from '../../src/ledger/commit-proof.ts';
import { Admission } from '../../src/node/admit.ts';
import { EventVerifier } from '../../src/node/event-verifier.ts';
import { certificateDigest } from '../../src/qc/certificate.ts';
import { identitySignature, joinOf } from '../hotstuff/chain.ts';
import { certificateOf, chain, GENESIS, linkOn, type Link } from '../hotstuff/links.ts';
import {
  proposalMessage,
  signedCertificate,
  signedTimeoutCertificate,
  timeoutMessage,
  voteMessage,
} from '../hotstuff/signing.ts';
import { codeOf } from '../qc/refusal.ts';
import { InPlaceVerifier } from './in-place-verifier.ts';

const { chainId, genesisCertificate, validators } = chain;
const context = { chainId, validators, genesis: genesisCertificate };

const B1 = linkOn(GENESIS, 1);
const B2 = linkOn(B1, 2);
const C1 = signedCertificate(chain, certificateOf(B1).vote);
const C2 = signedCertificate(chain, certificateOf(B2).vote);
const LEADER_OF_2 = 2;

const VIEW: AdmissionView = {
  context,
  self: 0,
  round: 1,
  highCertificateRound: 0,
  lastVotedRound: 0,
  lastVote: null,
  verifiedCertificate: (digest) => (digest === certificateDigest(genesisCertificate) ? genesisCertificate : undefined),
  verifiedTimeoutCertificate: () => undefined,
};

let verifier: InPlaceVerifier;
let eventChecks: number;
let eventsAreGood: boolean;
let admission: Admission;

beforeEach(() => {
  verifier = new InPlaceVerifier(context, chain.scheme);
  eventChecks = 0;
  eventsAreGood = true;
  admission = admissionWith(8);
});

function admissionWith(maxUnderCheckPerPeer: number): Admission {
  return new Admission({
    context,
    verifier,
    events: new EventVerifier({
      chainId,
      verifySignature() {
        eventChecks++;
        return Promise.resolve(eventsAreGood);
      },
      checkEvidence: () => Promise.resolve(ok(undefined)),
      maxRemembered: 100,
    }),
    verifySignature: ({ peerId }, message, signature) =>
      Promise.resolve(equalBytes(signature, identitySignature(peerId, message))),
    maxUnderCheckPerPeer,
  });
}

const admit = (message: HotstuffMessage, from: number, view: Partial<AdmissionView> = {}) =>
  admission.message(from, encodeMessage(message), { ...VIEW, ...view });

/** A block of round 2 on B1, by its leader, under the certificate that is truly signed. */
function secondBlock(events: Parameters<typeof makeBlock>[1] = []): Pick<Link, 'block'> {
  return { block: makeBlock({ ...B2.header, justifyDigest: certificateDigest(C1) }, events) };
}

describe('admission of a message', () => {
  test('verifies certificate, signature and events of a proposal, the pairing as work that a round waits for', async () => {
    const events = [joinOf(chain, 1), joinOf(chain, 2)];
    const admitted = unwrap(await admit(proposalMessage(chain, secondBlock(events), C1), LEADER_OF_2));
    expect(admitted).toMatchObject({ kind: 'proposal', events: events.map(({ id }) => ({ id })) });
    expect(verifier.jobs).toEqual([{ kind: 'certificate', urgency: 'consensus' }]);
    expect(eventChecks).toBe(2);
  });

  test('verifies nothing twice that the engine, or a message before, knows', async () => {
    const events = [joinOf(chain, 1)];
    const view = { verifiedCertificate: () => C1 };
    for (let i = 0; i < 2; i++) {
      expect((await admit(proposalMessage(chain, secondBlock(events), C1), LEADER_OF_2, view)).ok).toBe(true);
    }
    expect(verifier.jobs).toEqual([]);
    expect(eventChecks).toBe(1);
  });

  test.each([
    ['its leader did not sign', 'signature-invalid', () => ({ signature: new Uint8Array(64) })],
    ['its certificate is forged', 'certificate-invalid', () => ({ justify: { ...C1, signers: [0, 1, 3] } })],
  ])('refuses a proposal when %s', async (_what, code, change) => {
    const proposal = { ...proposalMessage(chain, secondBlock(), C1), ...change() };
    const { block, justify } = proposal;
    const header = { ...block.header, justifyDigest: certificateDigest(justify) };
    const message = { ...proposal, block: makeBlock(header, []) };
    const signed = code === 'certificate-invalid' ? proposalMessage(chain, message, justify) : message;
    expect(codeOf(await admit(signed, LEADER_OF_2))).toBe(code);
  });

  test('refuses a proposal when an event in it is forged', async () => {
    eventsAreGood = false;
    const message = proposalMessage(chain, secondBlock([joinOf(chain, 1)]), C1);
    expect(codeOf(await admit(message, LEADER_OF_2))).toBe('signature-invalid');
  });

  test('refuses a proposal by another than the leader before it costs anything', async () => {
    const message = proposalMessage(chain, secondBlock([joinOf(chain, 1)]), C1);
    expect(codeOf(await admit(message, 3))).toBe('proposal-not-by-leader');
    expect([verifier.jobs.length, eventChecks]).toEqual([0, 0]);
  });

  test('takes votes and timeouts on their channel, and verifies the certificates that are news', async () => {
    expect(await admit(voteMessage(chain, 1, certificateOf(B1).vote), 1)).toMatchObject({ value: { kind: 'vote' } });
    expect(verifier.jobs).toEqual([]);
    const skip = signedTimeoutCertificate(chain, 4, C1);
    expect(await admit(timeoutMessage(chain, 1, 5, C1, skip), 1)).toMatchObject({
      value: { kind: 'timeout', highCertificate: { vote: { round: 1 } }, timeoutCertificate: { round: 4 } },
    });
    expect(verifier.jobs.map(({ kind }) => kind).sort()).toEqual(['certificate', 'timeoutCertificate']);
    const forged = { ...skip, signers: [0, 1, 3] };
    expect(codeOf(await admit(timeoutMessage(chain, 1, 5, C1, forged), 1))).toBe('timeout-certificate-invalid');
  });

  test('verifies a certificate by itself', async () => {
    expect(await admit({ kind: 'certificate', certificate: C2 }, 3)).toMatchObject({ value: { kind: 'certificate' } });
    const forged = { ...C2, vote: { ...C2.vote, round: 9 } };
    expect(codeOf(await admit({ kind: 'certificate', certificate: forged }, 3))).toBe('certificate-invalid');
    const foreign = { ...C2, epoch: 7 };
    expect(codeOf(await admit({ kind: 'certificate', certificate: foreign }, 3))).toBe('epoch-mismatch');
  });

  test('refuses blocks that nobody asked for', async () => {
    const blocks = [{ block: B2.block, justify: certificateOf(B1) }];
    expect(codeOf(await admit({ kind: 'blocks', blocks }, 1))).toBe('message-unasked');
  });

  test('refuses whatever bytes are no message, and never throws', async () => {
    const valid = [
      encodeMessage(proposalMessage(chain, secondBlock([joinOf(chain, 1)]), C1)),
      encodeMessage({ kind: 'certificate', certificate: C2 }),
      encodeMessage(voteMessage(chain, 1, certificateOf(B1).vote)),
    ];
    for (const frame of valid) {
      for (let length = 0; length < frame.length; length += 7) {
        expect((await admission.message(1, frame.slice(0, length), VIEW)).ok).toBe(false);
      }
    }
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), async (bytes) => {
        expect((await admission.message(1, bytes, VIEW)).ok).toBe(false);
      }),
    );
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...valid), fc.nat(), fc.integer({ min: 1, max: 255 }), async (frame, at, by) => {
        const spoilt = frame.map((byte, i) => (i === at % frame.length ? byte ^ by : byte));
        await admission.message(LEADER_OF_2, spoilt, VIEW);
      }),
    );
  });

  test('holds each validator to its own share of what is under check', async () => {
    admission = admissionWith(2);
    verifier.isHeld = true;
    const certificate: HotstuffMessage = { kind: 'certificate', certificate: C2 };
    const [first, second, third, other] = [1, 1, 1, 2].map((from) => admit(certificate, from));
    expect(codeOf(await third!)).toBe('admission-full');
    verifier.letThrough();
    expect((await Promise.all([first!, second!, other!])).map(codeOf)).toEqual(Array(3).fill('accepted'));
    expect(codeOf(await admit(certificate, 1))).toBe('accepted');
  });

  test('gives a share back when a check fails by itself', async () => {
    admission = admissionWith(1);
    const certificate: HotstuffMessage = { kind: 'certificate', certificate: C2 };
    const run = verifier.run.bind(verifier);
    verifier.run = () => Promise.reject(new Error('the pool is closed'));
    await expect(admit(certificate, 1)).rejects.toThrow('closed');
    verifier.run = run;
    expect(codeOf(await admit(certificate, 1))).toBe('accepted');
  });
});

describe('admission of fetched blocks', () => {
  const stored = (link: Link) => encodeStoredBlock({ block: link.block, justify: certificateOf(link.parent as Link) });

  test('takes what a verified certificate can name, without a pairing', async () => {
    const admitted = unwrap(await admission.fetchedBlocks(1, [stored(B2), stored(B1)], VIEW));
    expect(admitted).toMatchObject({ kind: 'blocks', blocks: [{ block: { id: B2.id } }, { block: { id: B1.id } }] });
    expect([verifier.jobs.length, eventChecks]).toEqual([0, 0]);
  });

  test('refuses bytes that are no blocks', async () => {
    expect(codeOf(await admission.fetchedBlocks(1, [stored(B2), Uint8Array.of(1)], VIEW))).toBe('undecodable');
  });
});

describe('admission of a sealed block', () => {
  const seal = { kind: 'hotstuff', bytes: encodeCommitProof({ certificate: C2, descendants: [] }) } as const;

  test('verifies its seal', async () => {
    const admitted = unwrap(await admission.sealedBlock(encodeSealedBlock({ block: B1.block, seal }), 'sync'));
    expect(admitted.block.id).toBe(B1.id);
    expect(verifier.jobs).toEqual([{ kind: 'seal', urgency: 'sync' }]);
  });

  test.each([
    ['seal-kind-unknown', { kind: 'genesis', bytes: seal.bytes }],
    ['trust-crash-only', { kind: 'raft', bytes: seal.bytes }],
    ['undecodable', { kind: 'hotstuff', bytes: Uint8Array.of(9) }],
    ['seal-commits-nothing', { ...seal, bytes: encodeCommitProof({ certificate: C1, descendants: [] }) }],
  ] as const)('refuses as `%s`', async (code, other) => {
    expect(codeOf(await admission.sealedBlock(encodeSealedBlock({ block: B1.block, seal: other }), 'bulk'))).toBe(code);
  });

  test('refuses another block under a true seal, and says when it is too busy', async () => {
    const other = linkOn(GENESIS, 1, 'another').block;
    const sealed = encodeSealedBlock({ block: other, seal });
    expect(codeOf(await admission.sealedBlock(sealed, 'bulk'))).toBe('seal-names-another-block');
    verifier.refusing = refuse('verification-busy', 'text');
    const good = encodeSealedBlock({ block: B1.block, seal });
    expect(codeOf(await admission.sealedBlock(good, 'bulk'))).toBe('verification-busy');
  });
});
