/**
 * An uncommitted block as it lies on disk and is served by id: the block and the certificate of its parent.
 *
 * The header binds the certificate by digest, so whoever trusts a block's id (a verified certificate names it) can
 * trust the certificate beside it without a pairing: a quorum voted for the block, at least f + 1 of them correct, and
 * none of these votes for a block whose certificate it has not verified.
 */
import { bytes, codec, struct } from '../base/codec.ts';
import type { Hash } from '../base/hash.ts';
import { ok, refuse, type Result } from '../base/result.ts';
import { decodeBlock, encodeBlock, MAX_BLOCK_BYTES } from '../ledger/block.ts';
import {
  certificateDigest,
  certificateShape,
  MAX_CERTIFICATE_BYTES,
  type QuorumCertificate,
} from '../qc/certificate.ts';
import type { CertifiedParentBlock } from './messages.ts';

export const MAX_STORED_BLOCK_BYTES = MAX_BLOCK_BYTES + MAX_CERTIFICATE_BYTES + 16;

const storedCodec = codec(
  struct<{ block: Uint8Array; justify: QuorumCertificate }>({
    block: bytes(MAX_BLOCK_BYTES),
    justify: certificateShape,
  }),
  MAX_STORED_BLOCK_BYTES,
);

export function encodeStoredBlock({ block, justify }: CertifiedParentBlock): Uint8Array {
  return storedCodec.encode({ block: encodeBlock(block), justify });
}

/** Refusals: those of the codec and of `decodeBlock`, `justify-mismatch`. */
export function decodeStoredBlock(chainId: string, storedBytes: Uint8Array): Result<CertifiedParentBlock> {
  const parts = storedCodec.decode(storedBytes);
  if (!parts.ok) return parts;
  const block = decodeBlock(chainId, parts.value.block);
  if (!block.ok) return block;
  const justify = checkJustifyDigest({ block: block.value, justify: parts.value.justify });
  return justify.ok ? ok({ block: block.value, justify: parts.value.justify }) : justify;
}

/** The parent's id, without a look at the block itself; undefined when the bytes are no stored block. */
export function parentOfStored(storedBytes: Uint8Array): Hash | undefined {
  const parts = storedCodec.decode(storedBytes);
  return parts.ok ? parts.value.justify.vote.blockId : undefined;
}

/** The certificate beside the block is the one that its header names, and certifies its parent. */
export function checkJustifyDigest({ block, justify }: CertifiedParentBlock): Result<void> {
  const { header } = block;
  if (header.justifyDigest !== certificateDigest(justify) || header.parentId !== justify.vote.blockId) {
    return refuse('justify-mismatch', 'the certificate is not the one that the header names', {
      blockId: block.id,
      round: header.round,
      certificateRound: justify.vote.round,
    });
  }
  return ok(undefined);
}
