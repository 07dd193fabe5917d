/** Admission of mutated consensus messages, against what real engines knew when the valid ones arrived. */
import { concatBytes, equalBytes, toHex } from '../../src/base/bytes.ts';
import { assert } from '../../src/base/assert.ts';
import { ok } from '../../src/base/result.ts';
import fc from 'fast-check';
import type { AdmissionView } from '../../src/hotstuff/admission.ts';
import type { AdmittedMessage, HotstuffMessage } from '../../src/hotstuff/messages.ts';
import { decodeMessage, MAX_MESSAGE_BYTES } from '../../src/hotstuff/wire.ts';
import { eventSigningBytes } from '../../src/ledger/event.ts';
import { Admission } from '../../src/node/admit.ts';
import { EventVerifier } from '../../src/node/event-verifier.ts';
import { timeoutPreimage, votePreimage } from '../../src/qc/ballot.ts';
import { certificateDigest, type EpochContext, type QuorumCertificate } from '../../src/qc/certificate.ts';
import { timeoutCertificateDigest, type TimeoutCertificate } from '../../src/qc/timeout-certificate.ts';
import { identitySignature } from '../hotstuff/chain.ts';
import { InPlaceVerifier } from '../node/in-place-verifier.ts';
import { lazily } from './corpus.ts';
import { checkCode } from './laws.ts';
import { pick } from './messagepack-mutations.ts';
import { mutantOf, mutationChoice } from './mutation.ts';
import { propertyTarget } from './target.ts';
import { traffic } from './traffic.ts';

/** Everything that was really signed in the traffic, by its name. */
interface Truth {
  readonly context: EpochContext;
  readonly proposals: ReadonlySet<string>;
  readonly certificates: ReadonlySet<string>;
  readonly timeoutCertificates: ReadonlySet<string>;
  /** What was signed, and the signature. */
  readonly events: ReadonlySet<string>;
}

function certificatesIn(message: HotstuffMessage): {
  readonly quorum: readonly QuorumCertificate[];
  readonly timeout: readonly TimeoutCertificate[];
} {
  const some = (certificate: TimeoutCertificate | null) => (certificate === null ? [] : [certificate]);
  switch (message.kind) {
    case 'proposal':
      return { quorum: [message.justify], timeout: some(message.timeoutCertificate) };
    case 'timeout':
      return { quorum: [message.highCertificate], timeout: some(message.timeoutCertificate) };
    case 'certificate':
      return { quorum: [message.certificate], timeout: [] };
    case 'timeoutCertificate':
      return { quorum: [], timeout: [message.certificate] };
    default:
      return { quorum: [], timeout: [] };
  }
}

const truth = lazily((): Truth => {
  const { driver, passed } = traffic();
  const { chainId, genesisCertificate, validators } = driver.chain;
  const messages = passed.map(({ message }) => message);
  const timeouts = messages.flatMap((message) => certificatesIn(message).timeout);
  const quorums = messages.flatMap((message) => certificatesIn(message).quorum);
  const proposals = messages.flatMap((message) => (message.kind === 'proposal' ? [message] : []));
  return {
    context: { chainId, validators, genesis: genesisCertificate },
    proposals: new Set(proposals.map(({ block, signature }) => `${block.id} ${toHex(signature)}`)),
    certificates: new Set([...quorums, ...timeouts.map((each) => each.highCertificate)].map(certificateDigest)),
    timeoutCertificates: new Set(timeouts.map(timeoutCertificateDigest)),
    events: new Set(
      proposals.flatMap(({ block }) =>
        block.events.map(({ json, signature }) => signed(eventSigningBytes(chainId, json), signature)),
      ),
    ),
  };
});

function signed(message: Uint8Array, signature: Uint8Array): string {
  return toHex(concatBytes(message, signature));
}

const admission = lazily(() => {
  const { context, events } = truth();
  return new Admission({
    context,
    verifier: new InPlaceVerifier(context, traffic().driver.chain.scheme),
    events: new EventVerifier({
      chainId: context.chainId,
      verifySignature: (_key, message, signature) => Promise.resolve(events.has(signed(message, signature))),
      checkEvidence: () => Promise.resolve(ok(undefined)),
      maxRemembered: 16,
    }),
    verifySignature: ({ peerId }, message, signature) =>
      Promise.resolve(equalBytes(signature, identitySignature(peerId, message))),
    maxUnderCheckPerPeer: 8,
  });
});

/** @throws AssertionError when what was admitted is not what somebody really signed */
function checkAdmitted(message: AdmittedMessage, view: AdmissionView): void {
  const { certificates, proposals, timeoutCertificates } = truth();
  const isTrue = (certificate: QuorumCertificate | null): boolean =>
    certificate === null || certificates.has(certificateDigest(certificate));
  const isTrueTimeout = (certificate: TimeoutCertificate | null): boolean =>
    certificate === null || timeoutCertificates.has(timeoutCertificateDigest(certificate));
  switch (message.kind) {
    case 'proposal':
      assert(proposals.has(`${message.block.id} ${toHex(message.signature)}`), 'its leader proposed this block', {});
      assert(message.events.length === message.block.events.length, 'all its events were verified', {});
      assert(isTrue(message.justify), 'a quorum signed the certificate of its parent', {});
      assert(isTrueTimeout(message.timeoutCertificate), 'a quorum signed its timeout certificate', {});
      return;
    case 'timeout':
      assert(isTrue(message.highCertificate), 'a quorum signed the highest certificate', {});
      assert(isTrueTimeout(message.timeoutCertificate), 'a quorum signed the timeout certificate', {});
      return;
    case 'certificate':
      assert(isTrue(message.certificate), 'a quorum signed the certificate', {});
      return;
    case 'timeoutCertificate':
      assert(isTrueTimeout(message.certificate), 'a quorum signed the timeout certificate', {});
      return;
    case 'witness':
      return checkWitness(message, view);
    case 'blocks':
      assert(false, 'blocks that nobody asked for are refused', {});
      return;
    case 'vote':
    case 'stale':
    // Authenticated by the channel, and verified in the aggregate; or of no effect.
  }
}

/** What the receiver is told to have signed, and does not know of, it has signed. */
function checkWitness(message: Extract<AdmittedMessage, { kind: 'witness' }>, view: AdmissionView): void {
  const { chainId, validators } = view.context;
  const { scheme } = traffic().driver.chain;
  const binding = { chainId, epoch: validators.epoch };
  const { blsPublicKey } = validators.member(view.self);
  const { timeout, vote } = message;
  if (vote !== null && vote.ballot.round > view.lastVotedRound) {
    const own = scheme.verify(blsPublicKey, votePreimage(binding, vote.ballot), vote.signature);
    assert(own, 'the receiver signed the vote', { round: vote.ballot.round });
  }
  if (timeout !== null && timeout.ballot.round > view.lastVotedRound) {
    const own = scheme.verify(blsPublicKey, timeoutPreimage(binding, timeout.ballot), timeout.signature);
    assert(own, 'the receiver signed the timeout', { round: timeout.ballot.round });
  }
}

/** Of one who has verified nothing yet, so that everything is a duty. */
function knowingNothing(view: AdmissionView): AdmissionView {
  const { genesis } = view.context;
  const own = certificateDigest(genesis);
  return {
    ...view,
    verifiedCertificate: (digest) => (digest === own ? traffic().driver.chain.genesisCertificate : undefined),
    verifiedTimeoutCertificate: () => undefined,
  };
}

export const admissions = propertyTarget(
  'admission',
  500,
  fc.tuple(mutationChoice, fc.nat(11), fc.boolean()),
  async ([choice, sender, knowsNothing]) => {
    const { passed } = traffic();
    const original = pick(passed, choice.first);
    const samples = passed.map(({ bytes }) => bytes);
    const { bytes } = mutantOf(samples, choice, 'messagepack', MAX_MESSAGE_BYTES);
    const view = knowsNothing ? knowingNothing(original.view) : original.view;
    const from = sender < 4 ? sender : original.from;
    const admitted = await admission().message(from, bytes, view);
    if (admitted.ok) {
      checkAdmitted(admitted.value, view);
      const { kind } = admitted.value;
      const decoded = decodeMessage(view.context.chainId, bytes);
      assert(decoded.ok, 'what is admitted decodes', {});
      assert(kind === 'stale' || kind === decoded.value.kind, 'a message is admitted as what it is', { kind });
    } else {
      checkCode(admitted.refusal.code, bytes);
    }
    return admitted.ok;
  },
);
