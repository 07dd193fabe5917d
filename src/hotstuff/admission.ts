/**
 * What must be true of a message before the engine may see it, and what of that costs a signature check.
 *
 * `dutiesOf` does everything that is cheap and names what is not; the shell performs the duties (off the main thread,
 * identity signature first, as it is cheap and names the culprit) and then makes an `AdmittedMessage` of the outcome.
 * Certificates that this node has verified before are found by their digest and are no duty.
 *
 *     proposal            the leader of its round sent it; certificate, timeout certificate, identity signature, events
 *     vote, own timeout   nothing: authenticated by the channel, verified in the aggregate
 *     timeout             its certificates, each only when it is above what this node knows
 *     certificate         itself, unless it is not above what this node knows
 *     witness             the ballots in it that the receiver's record does not know, which it is said to have signed:
 *                         else anybody could silence it
 *     blocks              nothing: an id that a verified certificate names binds them
 *
 * A message of a round that this node has left costs nothing: it becomes a `stale` one.
 */
import { assert } from '../base/assert.ts';
import type { Hash } from '../base/hash.ts';
import { ok, refuse, type Result } from '../base/result.ts';
import type { ValidatorIndex } from '../consensus/engine.ts';
import type { SignedEvent } from '../ledger/event.ts';
import type { VerifiedEvent } from '../ledger/verified-event.ts';
import { proposalPreimage, timeoutPreimage, votePreimage, type VoteData } from '../qc/ballot.ts';
import {
  certificateDigest,
  checkCertificateForm,
  type EpochContext,
  type QuorumCertificate,
  type VerifiedCertificate,
} from '../qc/certificate.ts';
import {
  checkTimeoutCertificateForm,
  timeoutCertificateDigest,
  type TimeoutCertificate,
  type VerifiedTimeoutCertificate,
} from '../qc/timeout-certificate.ts';
import { sameVote } from './commit-rule.ts';
import { leaderOf } from './leader.ts';
import type {
  AdmittedMessage,
  HotstuffMessage,
  ProposalMessage,
  StaleMessage,
  TimeoutMessage,
  VoteMessage,
  WitnessMessage,
} from './messages.ts';

/** What admission may know of the engine: a snapshot, taken when a message arrives. All of it only ever grows. */
export interface AdmissionView {
  readonly context: EpochContext;
  readonly self: ValidatorIndex;
  readonly round: number;
  readonly highCertificateRound: number;
  /** What this validator itself has signed, as it knows. */
  readonly lastVotedRound: number;
  readonly lastVote: VoteData | null;
  /** By `certificateDigest`: what this node verified lately. */
  verifiedCertificate(digest: Hash): VerifiedCertificate | undefined;
  /** By `timeoutCertificateDigest`. */
  verifiedTimeoutCertificate(digest: Hash): VerifiedTimeoutCertificate | undefined;
}

/** A signature by one validator's key over `preimage`. */
export interface SignatureDuty {
  readonly signWith: 'bls' | 'identity';
  readonly signer: ValidatorIndex;
  readonly preimage: Uint8Array;
  readonly signature: Uint8Array;
}

/** Everything in it must be verified, or the message is refused. */
export interface Duties {
  readonly signatures: readonly SignatureDuty[];
  readonly certificate: QuorumCertificate | null;
  readonly timeoutCertificate: TimeoutCertificate | null;
  /** Whose signatures must be verified; those whose id was verified before need not be again. */
  readonly events: readonly SignedEvent[];
}

/** What the duties came to: the same certificates, and all the message's events, now branded. */
export interface Fulfilled {
  readonly certificate: VerifiedCertificate | null;
  readonly timeoutCertificate: VerifiedTimeoutCertificate | null;
  /** One list a block: of the proposal's, or of each fetched one. */
  readonly events: readonly (readonly VerifiedEvent[])[];
}

/** A message with everything cheap checked; make it an `AdmittedMessage` by `admit`. */
export interface Candidate {
  readonly message: HotstuffMessage | StaleMessage;
  readonly duties: Duties;
  readonly admit: (fulfilled: Fulfilled) => AdmittedMessage;
}

const NOTHING: Duties = { signatures: [], certificate: null, timeoutCertificate: null, events: [] };

/**
 * Refusals: `epoch-mismatch`, `proposal-not-by-leader`, `timeout-high-round-mismatch`, `timeout-round-unentered`,
 * and those of the certificates' forms.
 *
 * @param from authenticated by the channel
 */
export function candidateOf(message: HotstuffMessage, from: ValidatorIndex, view: AdmissionView): Result<Candidate> {
  const epoch = epochOf(message);
  if (epoch !== null && epoch !== view.context.validators.epoch) {
    return refuse('epoch-mismatch', 'the message belongs to another epoch', {
      epoch,
      own: view.context.validators.epoch,
    });
  }
  switch (message.kind) {
    case 'proposal':
      return proposalCandidate(message, from, view);
    case 'vote':
      return ok(
        message.vote.round <= view.highCertificateRound
          ? stale('vote', message.vote.round)
          : { message, duties: NOTHING, admit: () => brand(message) },
      );
    case 'timeout':
      return timeoutCandidate(message, view);
    case 'certificate':
      return certificateCandidate(message.certificate, view);
    case 'timeoutCertificate':
      return timeoutCertificateCandidate(message.certificate, view);
    case 'witness':
      return ok(witnessCandidate(message, view));
    case 'blocks':
      return ok(blocksCandidate(message));
  }
}

/** A ballot of this node itself, looped back by the shell with the signature that it just made. */
export function admitOwn(message: VoteMessage | TimeoutMessage): AdmittedMessage {
  if (message.kind === 'vote') return brand(message);
  return brand({ ...message, highCertificate: null, timeoutCertificate: null });
}

function epochOf(message: HotstuffMessage): number | null {
  switch (message.kind) {
    case 'proposal':
      return message.block.header.epoch;
    case 'certificate':
    case 'timeoutCertificate':
      return message.certificate.epoch;
    case 'vote':
    case 'timeout':
    case 'witness':
      return message.epoch;
    case 'blocks':
      return null;
  }
}

function proposalCandidate(message: ProposalMessage, from: ValidatorIndex, view: AdmissionView): Result<Candidate> {
  const { block, justify, timeoutCertificate } = message;
  const { round, proposer } = block.header;
  const { validators, chainId } = view.context;
  const leader = leaderOf(validators.epoch, round, validators.n);
  if (from !== leader || proposer !== validators.member(leader).peerId) {
    return refuse('proposal-not-by-leader', 'the proposal is not by the leader of its round', { round, from, leader });
  }
  if (round < view.round) return ok(stale('proposal', round));
  const justification = lookUpCertificate(justify, view);
  if (!justification.ok) return justification;
  const skipped = lookUpTimeoutCertificate(timeoutCertificate, view);
  if (!skipped.ok) return skipped;
  const binding = { chainId, epoch: validators.epoch };
  const duties: Duties = {
    signatures: [
      {
        signWith: 'identity',
        signer: leader,
        preimage: proposalPreimage(binding, { round, blockId: block.id }),
        signature: message.signature,
      },
    ],
    certificate: justification.value.duty,
    timeoutCertificate: skipped.value.duty,
    events: block.events,
  };
  return ok({
    message,
    duties,
    admit: (fulfilled) => {
      const certificate = justification.value.known ?? fulfilled.certificate;
      assert(certificate !== null, 'the certificate was verified', { round });
      const skip = skipped.value.known ?? fulfilled.timeoutCertificate;
      assert(timeoutCertificate === null || skip !== null, 'the timeout certificate was verified', { round });
      const events = fulfilled.events[0] ?? [];
      assert(events.length === block.events.length, 'all events were verified', { round });
      const { kind, signature } = message;
      return brand({ kind, block, events, justify: certificate, timeoutCertificate: skip, signature });
    },
  });
}

function timeoutCandidate(message: TimeoutMessage, view: AdmissionView): Result<Candidate> {
  const { timeout, highCertificate, timeoutCertificate } = message;
  const { round, highRound } = timeout;
  if (highCertificate.vote.round !== highRound || highRound >= round) {
    return refuse('timeout-high-round-mismatch', 'the certificate is not of the round that the timeout names', {
      round,
      highRound,
      certificateRound: highCertificate.vote.round,
    });
  }
  if (highRound + 1 !== round && timeoutCertificate?.round !== round - 1) {
    return refuse('timeout-round-unentered', 'the timeout does not show how its round was entered', {
      round,
      highRound,
      timeoutCertificateRound: timeoutCertificate?.round ?? -1,
    });
  }
  if (round < view.round) return ok(stale('timeout', round));
  const high = highRound > view.highCertificateRound ? lookUpCertificate(highCertificate, view) : NOT_NEEDED;
  if (!high.ok) return high;
  const entry = isNewRound(timeoutCertificate, view) ? lookUpTimeoutCertificate(timeoutCertificate, view) : NO_SKIP;
  if (!entry.ok) return entry;
  return ok({
    message,
    duties: { ...NOTHING, certificate: high.value.duty, timeoutCertificate: entry.value.duty },
    admit: (fulfilled) =>
      brand({
        ...message,
        highCertificate: high.value.known ?? fulfilled.certificate,
        timeoutCertificate: entry.value.known ?? fulfilled.timeoutCertificate,
      }),
  });
}

function certificateCandidate(certificate: QuorumCertificate, view: AdmissionView): Result<Candidate> {
  const { round } = certificate.vote;
  if (round <= view.highCertificateRound) return ok(stale('certificate', round + 1));
  const looked = lookUpCertificate(certificate, view);
  if (!looked.ok) return looked;
  return ok({
    message: { kind: 'certificate', certificate },
    duties: { ...NOTHING, certificate: looked.value.duty },
    admit: (fulfilled) => {
      const verified = looked.value.known ?? fulfilled.certificate;
      assert(verified !== null, 'the certificate was verified', { round });
      return brand({ kind: 'certificate', certificate: verified });
    },
  });
}

function timeoutCertificateCandidate(certificate: TimeoutCertificate, view: AdmissionView): Result<Candidate> {
  const { round } = certificate;
  // An older one may still carry a certificate that is news.
  if (!isNewRound(certificate, view) && certificate.highCertificate.vote.round <= view.highCertificateRound) {
    return ok(stale('timeoutCertificate', round + 1));
  }
  const looked = lookUpTimeoutCertificate(certificate, view);
  if (!looked.ok) return looked;
  return ok({
    message: { kind: 'timeoutCertificate', certificate },
    duties: { ...NOTHING, timeoutCertificate: looked.value.duty },
    admit: (fulfilled) => {
      const verified = looked.value.known ?? fulfilled.timeoutCertificate;
      assert(verified !== null, 'the timeout certificate was verified', { round });
      return brand({ kind: 'timeoutCertificate', certificate: verified });
    },
  });
}

/** It would move this node to a later round. */
function isNewRound(certificate: TimeoutCertificate | null, view: AdmissionView): boolean {
  return certificate !== null && certificate.round >= view.round;
}

function witnessCandidate(message: WitnessMessage, view: AdmissionView): Candidate {
  const { validators, chainId } = view.context;
  const binding = { chainId, epoch: validators.epoch };
  const signatures: SignatureDuty[] = [];
  const byMe = { signWith: 'bls', signer: view.self } as const;
  if (message.vote !== null && !isKnownVote(message.vote.ballot, view)) {
    const { ballot, signature } = message.vote;
    signatures.push({ ...byMe, preimage: votePreimage(binding, ballot), signature });
  }
  if (message.timeout !== null && message.timeout.ballot.round > view.lastVotedRound) {
    const { ballot, signature } = message.timeout;
    signatures.push({ ...byMe, preimage: timeoutPreimage(binding, ballot), signature });
  }
  return { message, duties: { ...NOTHING, signatures }, admit: () => brand(message) };
}

/** It says nothing new to the receiver's record, whether it is signed or not. */
function isKnownVote(vote: VoteData, { lastVote, lastVotedRound }: AdmissionView): boolean {
  if (vote.round === lastVote?.round) return sameVote(vote, lastVote);
  return vote.round <= lastVotedRound;
}

function blocksCandidate(message: Extract<HotstuffMessage, { kind: 'blocks' }>): Candidate {
  return {
    message,
    duties: NOTHING,
    admit: (fulfilled) => {
      assert(fulfilled.events.length === message.blocks.length, 'each block has its list of events', {});
      const blocks = message.blocks.map((block, index) => ({ ...block, events: fulfilled.events[index] ?? [] }));
      return brand({ kind: 'blocks', blocks });
    },
  };
}

function stale(of: StaleMessage['of'], senderRound: number): Candidate {
  const message: StaleMessage = { kind: 'stale', of, senderRound };
  return { message, duties: NOTHING, admit: () => brand(message) };
}

/** Either known already or a duty; neither when there is none. */
interface LookedUp<C, V> {
  readonly known: V | null;
  readonly duty: C | null;
}

const NOT_NEEDED = ok<LookedUp<QuorumCertificate, VerifiedCertificate>>({ known: null, duty: null });
const NO_SKIP = ok<LookedUp<TimeoutCertificate, VerifiedTimeoutCertificate>>({ known: null, duty: null });

function lookUpCertificate(
  certificate: QuorumCertificate,
  view: AdmissionView,
): Result<LookedUp<QuorumCertificate, VerifiedCertificate>> {
  const known = view.verifiedCertificate(certificateDigest(certificate));
  if (known !== undefined) return ok({ known, duty: null });
  const form = checkCertificateForm(certificate, view.context);
  return form.ok ? ok({ known: null, duty: certificate }) : form;
}

function lookUpTimeoutCertificate(
  certificate: TimeoutCertificate | null,
  view: AdmissionView,
): Result<LookedUp<TimeoutCertificate, VerifiedTimeoutCertificate>> {
  if (certificate === null) return NO_SKIP;
  const known = view.verifiedTimeoutCertificate(timeoutCertificateDigest(certificate));
  if (known !== undefined) return ok({ known, duty: null });
  const form = checkTimeoutCertificateForm(certificate, view.context);
  return form.ok ? ok({ known: null, duty: certificate }) : form;
}

/** The one place where a message becomes an admitted one. */
function brand<T extends object>(message: T): AdmittedMessage {
  return message as unknown as AdmittedMessage;
}
