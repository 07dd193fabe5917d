/** What the four processes say to each other. */
import { bytes, codec, fixedBytes, list, struct, uint, union, type Codec } from '../../src/base/codec.ts';
import { sha256Hex, type Hash } from '../../src/base/hash.ts';
import { certificateShape, type QuorumCertificate } from '../../src/qc/certificate.ts';

export interface Block {
  readonly round: number;
  readonly justify: QuorumCertificate;
  readonly events: readonly Uint8Array[];
}

export type Message =
  | { readonly kind: 'event'; readonly event: Uint8Array }
  /** `block` is encoded; the signature is the leader's ed25519 over it. */
  | { readonly kind: 'proposal'; readonly block: Uint8Array; readonly signature: Uint8Array }
  | { readonly kind: 'vote'; readonly round: number; readonly signature: Uint8Array }
  | { readonly kind: 'certificate'; readonly certificate: QuorumCertificate };

const MAX_EVENT_BYTES = 8192;
const MAX_BLOCK_BYTES = 65_536;

const event = bytes(MAX_EVENT_BYTES);

export const blockCodec: Codec<Block> = codec(
  struct<Block>({ round: uint(), justify: certificateShape, events: list(event, 16) }),
  MAX_BLOCK_BYTES,
);

export const messageCodec: Codec<Message> = codec(
  union<Message>({
    event: struct({ event }),
    proposal: struct({ block: bytes(MAX_BLOCK_BYTES), signature: fixedBytes(64) }),
    vote: struct({ round: uint(), signature: fixedBytes(96) }),
    certificate: struct({ certificate: certificateShape }),
  }),
  2 * MAX_BLOCK_BYTES,
);

export function blockId(encodedBlock: Uint8Array): Hash {
  return sha256Hex(encodedBlock);
}
