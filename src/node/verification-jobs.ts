/**
 * What the verification pool does: every check that costs a pairing (about 2 ms), as pure data in and out, so that it
 * can cross to a worker thread. One function runs a job wherever it runs: in a worker, or in a simulation.
 */
import { unreachable } from '../base/assert.ts';
import type { Hash } from '../base/hash.ts';
import { ok, refuse, type Result } from '../base/result.ts';
import type { BlockHeader } from '../ledger/block.ts';
import { verifyCommitProof, type CommitProof } from '../ledger/commit-proof.ts';
import { parsePeerId } from '../ledger/identity.ts';
import { verifyStateRead, type VerifiedState } from '../ledger/verified-read.ts';
import { verifyCertificate, type EpochContext, type QuorumCertificate } from '../qc/certificate.ts';
import { runCollectJob, type CollectJob, type CollectOutcome } from '../qc/collect.ts';
import { verifyEvidence, type Evidence } from '../qc/evidence.ts';
import { verifyHeadStatement, type HeadStatement } from '../qc/head-statement.ts';
import type { SignatureScheme } from '../qc/scheme.ts';
import { verifyTimeoutCertificate, type TimeoutCertificate } from '../qc/timeout-certificate.ts';
import { verifyHere } from './signature-native.ts';

export type VerificationJob =
  /** Many ballots into one certificate. */
  | { readonly kind: 'collect'; readonly work: CollectJob }
  | { readonly kind: 'certificate'; readonly certificate: QuorumCertificate }
  | { readonly kind: 'timeoutCertificate'; readonly certificate: TimeoutCertificate }
  /** One BLS signature of one validator. */
  | {
      readonly kind: 'signature';
      readonly signer: number;
      readonly preimage: Uint8Array;
      readonly signature: Uint8Array;
    }
  | { readonly kind: 'headStatement'; readonly statement: HeadStatement }
  /** A whole verified read of any key, as for a record of the DHT. */
  | { readonly kind: 'stateRead'; readonly answer: Uint8Array; readonly key: string; readonly nowMs: number }
  /** Two ballots of one validator for one round. */
  | { readonly kind: 'evidence'; readonly evidence: Evidence }
  /** The seal of a block. */
  | {
      readonly kind: 'seal';
      readonly proof: CommitProof;
      readonly block: { readonly id: Hash; readonly header: BlockHeader };
    };

export type VerificationOutcome =
  | { readonly kind: 'collected'; readonly outcome: CollectOutcome }
  | { readonly kind: 'checked'; readonly result: Result<null> }
  | { readonly kind: 'stateRead'; readonly result: Result<VerifiedState> };

export function runVerificationJob(
  job: VerificationJob,
  epoch: EpochContext,
  scheme: SignatureScheme,
): VerificationOutcome {
  switch (job.kind) {
    case 'collect':
      return { kind: 'collected', outcome: runCollectJob(job.work, epoch.validators, scheme) };
    case 'certificate':
      return checked(verifyCertificate(job.certificate, epoch, scheme));
    case 'timeoutCertificate':
      return checked(verifyTimeoutCertificate(job.certificate, epoch, scheme));
    case 'signature': {
      const { blsPublicKey, peerId } = epoch.validators.member(job.signer);
      return scheme.verify(blsPublicKey, job.preimage, job.signature)
        ? { kind: 'checked', result: ok(null) }
        : {
            kind: 'checked',
            result: refuse('signature-invalid', 'the signature is not by this validator', { peerId }),
          };
    }
    case 'headStatement':
      return checked(verifyHeadStatement(job.statement, epoch, scheme));
    case 'stateRead': {
      const trusted = {
        chainId: epoch.chainId,
        validators: epoch.validators,
        genesisBlockId: () => epoch.genesis.vote.blockId,
      };
      const { answer, key, nowMs } = job;
      return { kind: 'stateRead', result: verifyStateRead(answer, trusted, { key, nowMs, scheme }) };
    }
    case 'evidence':
      return checked(verifyEvidence(job.evidence, epoch, scheme, verifyIdentity));
    case 'seal':
      return checked(
        verifyCommitProof(job.proof, job.block, { chainId: epoch.chainId, validators: epoch.validators, scheme }),
      );
    default:
      return unreachable(job);
  }
}

function verifyIdentity(peerId: string, message: Uint8Array, signature: Uint8Array): boolean {
  const identity = parsePeerId(peerId);
  return identity.ok && verifyHere(identity.value, message, signature);
}

function checked(result: Result<unknown>): VerificationOutcome {
  return { kind: 'checked', result: result.ok ? ok(null) : result };
}
