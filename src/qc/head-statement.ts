/** A validator's signed word on where its head is and when: old blocks on an idle chain are not stale then. */
import { codec, fixedBytes, hash, struct, uint, type Codec, type Shape } from '../base/codec.ts';
import type { Result } from '../base/result.ts';
import type { HeadData } from './ballot.ts';
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

export function verifyHeadStatement(
  statement: HeadStatement,
  context: Pick<EpochContext, 'chainId' | 'validators'>,
  scheme: SignatureScheme,
): Result<void> {
  throw new Error(`unfinished ${statement.epoch} ${context.chainId} ${scheme.name}`);
}
