/** A validator's signed word on where its head is and when: old blocks on an idle chain are not stale then. */
import { codec, fixedBytes, hash, struct, uint, type Codec, type Shape } from '../base/codec.ts';
import { ok, refuse, type Result } from '../base/result.ts';
import { headStatementPreimage, type HeadData } from './ballot.ts';
import type { EpochContext } from './certificate.ts';
import { SIGNATURE_BYTES, type SignatureScheme } from './scheme.ts';

export interface HeadStatement extends HeadData {
  readonly epoch: number;
  /** Index of the validator in its epoch's set. */
  readonly signer: number;
  readonly signature: Uint8Array;
}

export const headStatementShape: Shape<HeadStatement> = struct<HeadStatement>({
  epoch: uint(),
  height: uint(),
  blockId: hash,
  stateRoot: hash,
  nowMs: uint(),
  signer: uint(),
  signature: fixedBytes(SIGNATURE_BYTES),
});

export const headStatementCodec: Codec<HeadStatement> = codec(headStatementShape, 256);

/** Refusals: `epoch-mismatch`, `signer-unknown`, `head-statement-invalid`. */
export function verifyHeadStatement(
  statement: HeadStatement,
  { chainId, validators }: Pick<EpochContext, 'chainId' | 'validators'>,
  scheme: SignatureScheme,
): Result<void> {
  const { epoch, signer, signature, ...head } = statement;
  if (epoch !== validators.epoch) {
    return refuse('epoch-mismatch', 'the head statement is of another epoch', { epoch, expected: validators.epoch });
  }
  const validator = validators.members[signer];
  if (validator === undefined) {
    return refuse('signer-unknown', 'the signer is not in the validator set', { signer, n: validators.n });
  }
  if (!scheme.verify(validator.blsPublicKey, headStatementPreimage({ chainId, epoch }, head), signature)) {
    return refuse('head-statement-invalid', "the signature is not this validator's for this head", { epoch, signer });
  }
  return ok(undefined);
}
