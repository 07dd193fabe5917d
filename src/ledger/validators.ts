/** The validators as the state holds them: what their set is made of, and where to reach them. */
import { codec, fixedBytes, list, struct, text, uint } from '../base/codec.ts';
import { MAX_VALIDATORS } from '../qc/bitmap.ts';
import { PUBLIC_KEY_BYTES, SIGNATURE_BYTES } from '../qc/scheme.ts';
import type { Registration } from '../qc/validator-set.ts';
import { MAX_PEER_ID_LENGTH } from './identity.ts';
import { MAX_ADDRESSES, MAX_ADDRESS_LENGTH } from './multiaddrs.ts';

/** State key of the `ValidatorList` of the current epoch. */
export const VALIDATORS_KEY = 'validators';

/** A validator's registration, and where to reach it. */
export interface ListedValidator extends Registration {
  readonly multiaddrs: readonly string[];
}

export interface ValidatorList {
  readonly epoch: number;
  /** Sorted by peer id. */
  readonly validators: readonly ListedValidator[];
}

export const listedValidatorShape = struct<ListedValidator>({
  peerId: text(MAX_PEER_ID_LENGTH),
  blsPublicKey: fixedBytes(PUBLIC_KEY_BYTES),
  proofOfPossession: fixedBytes(SIGNATURE_BYTES),
  multiaddrs: list(text(MAX_ADDRESS_LENGTH), MAX_ADDRESSES),
});

export const validatorListCodec = codec(
  struct<ValidatorList>({ epoch: uint(), validators: list(listedValidatorShape, MAX_VALIDATORS) }),
  1024 * 1024,
);
