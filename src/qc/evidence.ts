/** Proof that one validator signed two different ballots of one kind in one round. */
import { bytes, codec, fixedBytes, struct, uint, union, type Codec } from '../base/codec.ts';
import type { Result } from '../base/result.ts';
import {
  proposalShape,
  timeoutShape,
  voteShape,
  type ProposalData,
  type TimeoutData,
  type VoteData,
} from './ballot.ts';
import type { EpochContext } from './certificate.ts';
import { SIGNATURE_BYTES, type SignatureScheme } from './scheme.ts';

export interface Signed<T> {
  readonly ballot: T;
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

/** A DER signature of secp256k1 has at most 72 bytes. */
const MAX_IDENTITY_SIGNATURE_BYTES = 72;

const blsSignature = fixedBytes(SIGNATURE_BYTES);
const identitySignature = bytes(MAX_IDENTITY_SIGNATURE_BYTES);

function conflictShape<T>(ballot: import('../base/codec.ts').Shape<T>, signature: typeof blsSignature) {
  const signed = struct<Signed<T>>({ ballot, signature });
  return struct<Omit<Conflict<string, T>, 'kind'>>({ epoch: uint(), offender: uint(), first: signed, second: signed });
}

export const evidenceCodec: Codec<Evidence> = codec(
  union<Evidence>({
    votes: conflictShape(voteShape, blsSignature),
    timeouts: conflictShape(timeoutShape, blsSignature),
    proposals: conflictShape(proposalShape, identitySignature),
  }),
  1024,
);

export function verifyEvidence(
  evidence: Evidence,
  context: Pick<EpochContext, 'chainId' | 'validators'>,
  scheme: SignatureScheme,
  verifyIdentity: VerifyIdentity,
): Result<void> {
  throw new Error(`unfinished ${evidence.epoch} ${context.chainId} ${scheme.name} ${typeof verifyIdentity}`);
}
