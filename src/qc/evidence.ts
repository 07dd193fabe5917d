/**
 * Proof that one validator signed two different ballots of one kind in one round, which a correct one never does.
 *
 * Two signatures by the offender's own key over two different messages of one round: anybody can check it with the
 * validator set of that epoch alone. The two ballots have one order, so a pair has one encoding.
 */
import { compareBytes, equalBytes } from '../base/bytes.ts';
import { bytes, codec, fixedBytes, struct, uint, union, type Codec, type Shape, type Struct } from '../base/codec.ts';
import { ok, refuse, type Result } from '../base/result.ts';
import {
  proposalPreimage,
  proposalShape,
  timeoutPreimage,
  timeoutShape,
  votePreimage,
  voteShape,
  type ChainBinding,
  type ProposalData,
  type TimeoutData,
  type VoteData,
} from './ballot.ts';
import type { EpochContext } from './certificate.ts';
import { SIGNATURE_BYTES, type SignatureScheme } from './scheme.ts';

export interface Signed<T> {
  readonly ballot: T;
  /** BLS, 96 bytes; of a proposal by the identity key, at most 72 bytes. */
  readonly signature: Uint8Array;
}

interface Conflict<K extends string, T> {
  readonly kind: K;
  readonly epoch: number;
  /** Index of the validator in its epoch's set. */
  readonly offender: number;
  readonly first: Signed<T>;
  readonly second: Signed<T>;
}

export type Evidence =
  Conflict<'votes', VoteData> | Conflict<'timeouts', TimeoutData> | Conflict<'proposals', ProposalData>;

/** Checks a signature by the identity key of a peer id (ed25519 or secp256k1); passed in, as `qc` knows only BLS. */
export type VerifyIdentity = (peerId: string, message: Uint8Array, signature: Uint8Array) => boolean;

/** A DER signature of secp256k1 has at most 72 bytes, one of ed25519 has 64. */
const MAX_IDENTITY_SIGNATURE_BYTES = 72;

const blsSignature = fixedBytes(SIGNATURE_BYTES);
const identitySignature = bytes(MAX_IDENTITY_SIGNATURE_BYTES);

function conflictShape<K extends string, T>(
  ballot: Shape<T>,
  signature: Shape<Uint8Array>,
): Struct<Omit<Conflict<K, T>, 'kind'>> {
  const signed = struct<Signed<T>>({ ballot, signature });
  return struct<Omit<Conflict<K, T>, 'kind'>>({ epoch: uint(), offender: uint(), first: signed, second: signed });
}

/** Fits into an event of 8 KiB with room to spare. */
export const MAX_EVIDENCE_BYTES = 1024;

export const evidenceCodec: Codec<Evidence> = codec(
  union<Evidence>({
    votes: conflictShape(voteShape, blsSignature),
    timeouts: conflictShape(timeoutShape, blsSignature),
    proposals: conflictShape(proposalShape, identitySignature),
  }),
  MAX_EVIDENCE_BYTES,
);

/** Puts the two ballots in their order. Verifies nothing: whoever keeps or sends evidence calls `verifyEvidence`. */
export function makeEvidence(evidence: Evidence, chainId: string): Evidence {
  const [first, second] = messagesOf(evidence, chainId);
  return compareBytes(first, second) <= 0
    ? evidence
    : ({ ...evidence, first: evidence.second, second: evidence.first } as Evidence);
}

/**
 * Refusals: `epoch-mismatch`, `signer-unknown`, `evidence-not-conflicting`, `evidence-unordered`, `evidence-invalid`.
 */
export function verifyEvidence(
  evidence: Evidence,
  { chainId, validators }: Pick<EpochContext, 'chainId' | 'validators'>,
  scheme: SignatureScheme,
  verifyIdentity: VerifyIdentity,
): Result<void> {
  const { kind, epoch, offender, first, second } = evidence;
  if (epoch !== validators.epoch) {
    return refuse('epoch-mismatch', 'the evidence is of another epoch', { epoch, expected: validators.epoch });
  }
  const validator = validators.members[offender];
  if (validator === undefined) {
    return refuse('signer-unknown', 'the offender is not in the validator set', { signer: offender, n: validators.n });
  }
  const messages = messagesOf(evidence, chainId);
  if (first.ballot.round !== second.ballot.round || equalBytes(...messages)) {
    return refuse('evidence-not-conflicting', 'evidence is two different ballots of one round', {
      offender,
      firstRound: first.ballot.round,
      secondRound: second.ballot.round,
    });
  }
  if (compareBytes(...messages) > 0) {
    return refuse('evidence-unordered', 'the two ballots are in the order of their messages', { offender });
  }
  const signed = (message: Uint8Array, signature: Uint8Array): boolean =>
    kind === 'proposals'
      ? verifyIdentity(validator.peerId, message, signature)
      : scheme.verify(validator.blsPublicKey, message, signature);
  if (!signed(messages[0], first.signature) || !signed(messages[1], second.signature)) {
    return refuse('evidence-invalid', 'the validator did not sign both ballots', { kind, offender, epoch });
  }
  return ok(undefined);
}

function messagesOf(evidence: Evidence, chainId: string): [Uint8Array, Uint8Array] {
  const chain: ChainBinding = { chainId, epoch: evidence.epoch };
  switch (evidence.kind) {
    case 'votes':
      return [votePreimage(chain, evidence.first.ballot), votePreimage(chain, evidence.second.ballot)];
    case 'timeouts':
      return [timeoutPreimage(chain, evidence.first.ballot), timeoutPreimage(chain, evidence.second.ballot)];
    case 'proposals':
      return [proposalPreimage(chain, evidence.first.ballot), proposalPreimage(chain, evidence.second.ballot)];
  }
}
