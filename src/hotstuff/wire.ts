/**
 * Messages as bytes. One canonical encoding each (`base/codec.ts`); blocks travel as the bytes that are hashed.
 *
 * Nothing that is decoded here is verified: `admission.ts` says what must be before the engine may see it.
 */
import { assert } from '../base/assert.ts';
import { bool, bytes, codec, fixedBytes, list, nullable, struct, uint, union, type Shape } from '../base/codec.ts';
import { ok, type Result } from '../base/result.ts';
import { decodeBlock, encodeBlock, MAX_BLOCK_BYTES } from '../ledger/block.ts';
import { decodeSignedEvent, type EventDecoder } from '../ledger/event.ts';
import { timeoutShape, voteShape, type TimeoutData, type VoteData } from '../qc/ballot.ts';
import { certificateShape, MAX_CERTIFICATE_BYTES, type QuorumCertificate } from '../qc/certificate.ts';
import { SIGNATURE_BYTES } from '../qc/scheme.ts';
import {
  MAX_TIMEOUT_CERTIFICATE_BYTES,
  timeoutCertificateShape,
  type TimeoutCertificate,
} from '../qc/timeout-certificate.ts';
import type { CertifiedParentBlock, HotstuffMessage, Signed } from './messages.ts';
import { checkJustifyDigest, decodeStoredBlock, encodeStoredBlock, MAX_STORED_BLOCK_BYTES } from './stored-block.ts';

/** A DER signature of secp256k1 has at most 72 bytes, one of ed25519 has 64. */
const MAX_IDENTITY_SIGNATURE_BYTES = 72;
/** Blocks in one answer to a fetch by id. */
export const MAX_BLOCKS_PER_ANSWER = 16;
/** All stored blocks of one answer together. */
export const MAX_BLOCKS_ANSWER_BYTES = 2 * MAX_STORED_BLOCK_BYTES;
export const MAX_MESSAGE_BYTES = MAX_BLOCKS_ANSWER_BYTES + MAX_CERTIFICATE_BYTES + MAX_TIMEOUT_CERTIFICATE_BYTES + 1024;

/** As `HotstuffMessage`, with blocks still encoded. */
type WireMessage =
  | {
      readonly kind: 'proposal';
      readonly block: Uint8Array;
      readonly justify: QuorumCertificate;
      readonly timeoutCertificate: TimeoutCertificate | null;
      readonly signature: Uint8Array;
    }
  | { readonly kind: 'blocks'; readonly blocks: readonly Uint8Array[] }
  | Exclude<HotstuffMessage, { kind: 'proposal' | 'blocks' }>;

const blsSignature = fixedBytes(SIGNATURE_BYTES);

function signed<T>(ballot: Shape<T>): Shape<Signed<T>> {
  return struct<Signed<T>>({ ballot, signature: blsSignature });
}

const messageCodec = codec(
  union<WireMessage>({
    proposal: struct({
      block: bytes(MAX_BLOCK_BYTES),
      justify: certificateShape,
      timeoutCertificate: nullable(timeoutCertificateShape),
      signature: bytes(MAX_IDENTITY_SIGNATURE_BYTES),
    }),
    vote: struct({ epoch: uint(), vote: voteShape, signature: blsSignature }),
    timeout: struct({
      epoch: uint(),
      timeout: timeoutShape,
      highCertificate: certificateShape,
      timeoutCertificate: nullable(timeoutCertificateShape),
      signature: blsSignature,
    }),
    certificate: struct({ certificate: certificateShape }),
    timeoutCertificate: struct({ certificate: timeoutCertificateShape }),
    witness: struct({
      epoch: uint(),
      asks: bool,
      vote: nullable(signed<VoteData>(voteShape)),
      timeout: nullable(signed<TimeoutData>(timeoutShape)),
    }),
    blocks: struct({ blocks: list(bytes(MAX_STORED_BLOCK_BYTES), MAX_BLOCKS_PER_ANSWER) }),
  }),
  MAX_MESSAGE_BYTES,
);

/** A message to be cast is encoded after it was signed, never before. */
export function encodeMessage(message: HotstuffMessage): Uint8Array {
  switch (message.kind) {
    case 'proposal':
      assert(message.signature.length > 0, 'a proposal is signed before it travels', { id: message.block.id });
      return messageCodec.encode({ ...message, block: encodeBlock(message.block) });
    case 'blocks':
      return messageCodec.encode({ kind: 'blocks', blocks: message.blocks.map(encodeStoredBlock) });
    case 'vote':
    case 'timeout':
      assert(message.signature.length === SIGNATURE_BYTES, 'a ballot is signed before it travels', {
        kind: message.kind,
      });
      return messageCodec.encode(message);
    default:
      return messageCodec.encode(message);
  }
}

/** Refusals: those of the codec and of `decodeBlock`, `justify-mismatch`. */
export function decodeMessage(
  chainId: string,
  messageBytes: Uint8Array,
  decodeEvent: EventDecoder = decodeSignedEvent,
): Result<HotstuffMessage> {
  const decoded = messageCodec.decode(messageBytes);
  if (!decoded.ok) return decoded;
  const message = decoded.value;
  switch (message.kind) {
    case 'proposal': {
      const block = decodeBlock(chainId, message.block, decodeEvent);
      if (!block.ok) return block;
      const bound = checkJustifyDigest({ block: block.value, justify: message.justify });
      return bound.ok ? ok({ ...message, block: block.value }) : bound;
    }
    case 'blocks': {
      const blocks = decodeStoredBlocks(chainId, message.blocks);
      return blocks.ok ? ok({ kind: 'blocks', blocks: blocks.value }) : blocks;
    }
    default:
      return ok(message);
  }
}

/** What block sync by id answers with, as it was read from a peer's disk. */
export function decodeStoredBlocks(
  chainId: string,
  stored: readonly Uint8Array[],
): Result<readonly CertifiedParentBlock[]> {
  const blocks: CertifiedParentBlock[] = [];
  for (const storedBytes of stored) {
    const block = decodeStoredBlock(chainId, storedBytes);
    if (!block.ok) return block;
    blocks.push(block.value);
  }
  return ok(blocks);
}

/** Puts the signature that the shell made for a `cast` into its message. */
export function withSignature(message: HotstuffMessage, signature: Uint8Array): HotstuffMessage {
  switch (message.kind) {
    case 'proposal':
    case 'vote':
    case 'timeout':
      return { ...message, signature };
    default:
      assert(false, 'only proposals, votes and timeouts are cast', { kind: message.kind });
  }
}
