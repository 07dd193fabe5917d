/** Truly signed messages, for tests of wire and admission: the fast scheme, four validators. */
import type { ProposalMessage, TimeoutMessage, VoteMessage } from '../../src/hotstuff/messages.ts';
import { proposalPreimage, timeoutPreimage, votePreimage, type VoteData } from '../../src/qc/ballot.ts';
import type { QuorumCertificate } from '../../src/qc/certificate.ts';
import { runCollectJob } from '../../src/qc/collect.ts';
import type { TimeoutCertificate, VerifiedTimeoutCertificate } from '../../src/qc/timeout-certificate.ts';
import { certificateVerifiedBefore, type VerifiedCertificate } from '../../src/qc/certificate.ts';
import { identitySignature, type TestChain } from './chain.ts';
import type { Link } from './links.ts';

export function sign(chain: TestChain, signer: number, preimage: Uint8Array): Uint8Array {
  return chain.scheme.sign(chain.secretKeys[signer] as Uint8Array, preimage);
}

function bindingOf({ chainId, validators }: TestChain) {
  return { chainId, epoch: validators.epoch };
}

export function voteMessage(chain: TestChain, signer: number, vote: VoteData): VoteMessage {
  const signature = sign(chain, signer, votePreimage(bindingOf(chain), vote));
  return { kind: 'vote', epoch: chain.validators.epoch, vote, signature };
}

export function timeoutMessage(
  chain: TestChain,
  signer: number,
  round: number,
  highCertificate: QuorumCertificate,
  timeoutCertificate: TimeoutCertificate | null = null,
): TimeoutMessage {
  const timeout = { round, highRound: highCertificate.vote.round };
  const signature = sign(chain, signer, timeoutPreimage(bindingOf(chain), timeout));
  return { kind: 'timeout', epoch: chain.validators.epoch, timeout, highCertificate, timeoutCertificate, signature };
}

/** By a quorum, the first of the set unless others are named. */
export function signedCertificate(chain: TestChain, vote: VoteData, signers = firstQuorum(chain)): VerifiedCertificate {
  if (vote.round === 0) return chain.genesisCertificate;
  const ballots = signers.map((signer) => ({ signer, signature: voteMessage(chain, signer, vote).signature }));
  const job = { kind: 'votes', ...bindingOf(chain), vote, ballots } as const;
  const outcome = runCollectJob(job, chain.validators, chain.scheme);
  if (outcome.kind !== 'votes' || outcome.certificate === null) throw new TypeError('a quorum makes a certificate');
  return outcome.certificate;
}

/** All who sign know the same certificate. */
export function signedTimeoutCertificate(
  chain: TestChain,
  round: number,
  high: QuorumCertificate,
): VerifiedTimeoutCertificate {
  const ballots = firstQuorum(chain).map((signer) => ({
    signer,
    highRound: high.vote.round,
    signature: timeoutMessage(chain, signer, round, high).signature,
  }));
  const highCertificates = [certificateVerifiedBefore(high)];
  const job = { kind: 'timeouts', ...bindingOf(chain), round, ballots, highCertificates } as const;
  const outcome = runCollectJob(job, chain.validators, chain.scheme);
  if (outcome.kind !== 'timeouts' || outcome.certificate === null) throw new TypeError('a quorum makes a certificate');
  return outcome.certificate;
}

export function proposalMessage(
  chain: TestChain,
  { block }: Pick<Link, 'block'>,
  justify: QuorumCertificate,
  timeoutCertificate: TimeoutCertificate | null = null,
): ProposalMessage {
  const preimage = proposalPreimage(bindingOf(chain), { round: block.header.round, blockId: block.id });
  const signature = identitySignature(block.header.proposer, preimage);
  return { kind: 'proposal', block, justify, timeoutCertificate, signature };
}

function firstQuorum({ validators }: TestChain): number[] {
  return Array.from({ length: validators.quorum }, (_, i) => i);
}
