/**
 * What validators say to each other, in memory.
 *
 *     proposal            the leader's block, the certificate of its parent and, after a timeout, why it may skip rounds
 *     vote                to the next leader and the one after it
 *     timeout             to all: I gave up on this round
 *     certificate         a certificate that no proposal carries, or an answer to one who is behind
 *     timeoutCertificate  to all, as soon as one is formed; also an answer to one who is behind
 *     witness             the highest vote and timeout that I hold from you, and please tell me mine
 *     blocks              the answer to a fetch by id
 *
 * A `HotstuffMessage` is what travels, and nothing in it is to be believed. An `AdmittedMessage` is what the engine is
 * given: its certificates, identity signatures and event signatures were verified by `node/admit` (`admission.ts`
 * says which). Single votes and timeouts are not: their channel authenticates who sent them, and their signatures are
 * verified together when a certificate is made of them.
 */
import type { Block } from '../ledger/block.ts';
import type { VerifiedEvent } from '../ledger/verified-event.ts';
import type { TimeoutData, VoteData } from '../qc/ballot.ts';
import type { QuorumCertificate, VerifiedCertificate } from '../qc/certificate.ts';
import type { TimeoutCertificate, VerifiedTimeoutCertificate } from '../qc/timeout-certificate.ts';

/** A block with the certificate of its parent: what `header.justifyDigest` binds. */
export interface CertifiedParentBlock {
  readonly block: Block;
  readonly justify: QuorumCertificate;
}

export interface ProposalMessage extends CertifiedParentBlock {
  readonly kind: 'proposal';
  /** Of the round before, when `justify` is older than that. */
  readonly timeoutCertificate: TimeoutCertificate | null;
  /** By the identity key of the proposer's peer id over `proposalPreimage`. */
  readonly signature: Uint8Array;
}

export interface VoteMessage {
  readonly kind: 'vote';
  readonly epoch: number;
  readonly vote: VoteData;
  /** BLS, 96 bytes; empty until it is signed. */
  readonly signature: Uint8Array;
}

export interface TimeoutMessage {
  readonly kind: 'timeout';
  readonly epoch: number;
  readonly timeout: TimeoutData;
  /** The highest certificate known when the timeout was signed: its round is `timeout.highRound`. */
  readonly highCertificate: QuorumCertificate;
  /** Of the round before, when `highCertificate` is older than that: the round was entered lawfully. */
  readonly timeoutCertificate: TimeoutCertificate | null;
  /** BLS, 96 bytes; empty until it is signed. */
  readonly signature: Uint8Array;
}

export interface CertificateMessage {
  readonly kind: 'certificate';
  readonly certificate: QuorumCertificate;
}

export interface TimeoutCertificateMessage {
  readonly kind: 'timeoutCertificate';
  readonly certificate: TimeoutCertificate;
}

export interface Signed<T> {
  readonly ballot: T;
  readonly signature: Uint8Array;
}

export interface WitnessMessage {
  readonly kind: 'witness';
  readonly epoch: number;
  /** The sender would like to be told in return. */
  readonly asks: boolean;
  /** Signed by the receiver, and held by the sender; null when it holds none. */
  readonly vote: Signed<VoteData> | null;
  readonly timeout: Signed<TimeoutData> | null;
}

/** The requested block first, then as many of its ancestors as the server likes, each the parent of the one before. */
export interface BlocksMessage {
  readonly kind: 'blocks';
  readonly blocks: readonly CertifiedParentBlock[];
}

export type HotstuffMessage =
  | ProposalMessage
  | VoteMessage
  | TimeoutMessage
  | CertificateMessage
  | TimeoutCertificateMessage
  | WitnessMessage
  | BlocksMessage;

export type MessageKind = HotstuffMessage['kind'];

/** A block that may be executed: its event signatures were verified, or it is certified. */
export interface ExecutableBlock {
  readonly block: Block;
  readonly events: readonly VerifiedEvent[];
}

export interface AdmittedProposal extends ExecutableBlock {
  readonly kind: 'proposal';
  readonly justify: VerifiedCertificate;
  readonly timeoutCertificate: VerifiedTimeoutCertificate | null;
  readonly signature: Uint8Array;
}

export interface AdmittedTimeout {
  readonly kind: 'timeout';
  readonly epoch: number;
  readonly timeout: TimeoutData;
  /** Null when it was not above what this node knew: then nobody verified it, and nobody may use it. */
  readonly highCertificate: VerifiedCertificate | null;
  /** Null as above, or when the sender needed none. */
  readonly timeoutCertificate: VerifiedTimeoutCertificate | null;
  readonly signature: Uint8Array;
}

export interface AdmittedCertificate {
  readonly kind: 'certificate';
  readonly certificate: VerifiedCertificate;
}

export interface AdmittedTimeoutCertificate {
  readonly kind: 'timeoutCertificate';
  readonly certificate: VerifiedTimeoutCertificate;
}

/** A fetched block. Its certificate is bound by the header's digest, and the header by the id that was asked for. */
export interface FetchedBlock extends ExecutableBlock {
  readonly justify: QuorumCertificate;
}

export interface AdmittedBlocks {
  readonly kind: 'blocks';
  readonly blocks: readonly FetchedBlock[];
}

/** A message of a round that this node has left: nothing in it was verified, it only earns its sender an answer. */
export interface StaleMessage {
  readonly kind: 'stale';
  readonly of: MessageKind;
  /** The lowest round in which its sender can be. */
  readonly senderRound: number;
}

declare const admitted: unique symbol;

/** Only `admission.ts` makes one. */
export type AdmittedMessage = (
  | AdmittedProposal
  | VoteMessage
  | AdmittedTimeout
  | AdmittedCertificate
  | AdmittedTimeoutCertificate
  | WitnessMessage
  | AdmittedBlocks
  | StaleMessage
) & { readonly [admitted]: true };
