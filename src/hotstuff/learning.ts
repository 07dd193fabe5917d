/**
 * Learning a verified certificate: the one way in which anything of it takes effect, wherever it came from (a proposal,
 * a timeout, an answer, a seal, this node's own collector).
 *
 * The highest certificate and the highest timeout certificate decide the round, at once and however far: a replica that
 * slept through a thousand rounds needs one message to be back.
 */
import { assert } from '../base/assert.ts';
import type { SealedBlock } from '../ledger/block.ts';
import { decodeCommitProof } from '../ledger/commit-proof.ts';
import { certificateVerifiedBefore, type VerifiedCertificate } from '../qc/certificate.ts';
import type { VerifiedTimeoutCertificate } from '../qc/timeout-certificate.ts';
import type { Replica } from './replica.ts';

export function learnCertificate(replica: Replica, certificate: VerifiedCertificate): void {
  const { rules, certificates, tree } = replica;
  const { epoch } = replica.context.validators;
  assert(certificate.epoch === epoch, 'a certificate of this epoch was verified', { epoch: certificate.epoch });
  certificates.add(certificate);
  const { commit } = certificate.vote;
  const target = replica.commitTarget?.vote.commit?.height ?? tree.root.header.height;
  if (commit !== null && commit.height > target) replica.commitTarget = certificate;
  if (rules.learnCertificate(certificate)) enterRound(replica);
}

export function learnTimeoutCertificate(replica: Replica, certificate: VerifiedTimeoutCertificate): void {
  learnCertificate(replica, certificate.highCertificate);
  replica.certificates.addTimeout(certificate);
  if (replica.rules.learnTimeoutCertificate(certificate)) enterRound(replica);
}

/** Of a block from this node's own log, or branded as verified: its seal was, and the certificate in it. */
export function learnFromSeal(replica: Replica, { block, seal }: SealedBlock): void {
  if (seal.kind !== 'hotstuff') return;
  const proof = decodeCommitProof(seal.bytes);
  assert(proof.ok, 'a verified seal decodes', { height: block.header.height });
  if (proof.value.certificate.epoch !== replica.context.validators.epoch) return;
  learnCertificate(replica, certificateVerifiedBefore(proof.value.certificate));
}

/** Round and timer follow from the two highest certificates; what belongs to rounds that are over is dropped. */
export function enterRound(replica: Replica): void {
  const { rules, pacemaker, votes, timeouts, clock } = replica;
  const { highCertificate, highTimeoutCertificate } = rules.record;
  const certified = highCertificate.vote.round;
  votes.forgetThrough(certified);
  if (!pacemaker.follow(certified, highTimeoutCertificate?.round ?? 0, clock.elapsedMs)) return;
  const { round } = pacemaker;
  timeouts.forgetThrough(round - 1);
  replica.ownProposal = null;
  if (replica.pending !== null && replica.pending.block.header.round < round) replica.pending = null;
}
