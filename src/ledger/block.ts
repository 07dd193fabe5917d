/**
 * The block: a header that is hashed and certified, and the signed events that its `eventsRoot` names.
 *
 * A block's id is the hash of the header bytes that travelled. Only the canonical encoding decodes, so a block has one
 * encoding and one id, and a `Block` in memory always agrees with itself: id, header, events root.
 */
import { codec, bytes, hash, list, nullable, oneOf, struct, text, uint, type Shape } from '../base/codec.ts';
import { utf8 } from '../base/bytes.ts';
import { taggedHash, type Hash } from '../base/hash.ts';
import { ok, refuse, type Result } from '../base/result.ts';
import { decodeSignedEvent, type EventDecoder, type SignedEvent } from './event.ts';
import { eventsRoot } from './events-root.ts';

export const BLOCK_VERSION = 1;
/** The whole encoded block, header included. */
export const MAX_BLOCK_BYTES = 1024 * 1024;
export const MAX_BLOCK_EVENTS = 2000;
export const MAX_HEADER_BYTES = 1024;
/** A seal is a certificate and the headers between the block it names and the sealed block. */
export const MAX_SEAL_BYTES = 1024 * 1024;
/** What `makeBlock` needs beyond the events, so that a proposer can fill a block up to `MAX_BLOCK_BYTES`. */
export const BLOCK_OVERHEAD_BYTES = MAX_HEADER_BYTES + 16;
/** What an event costs in a block beyond its own bytes. */
export const EVENT_OVERHEAD_BYTES = 5;

export interface BlockHeader {
  readonly version: number;
  readonly chainId: string;
  readonly epoch: number;
  readonly round: number;
  readonly height: number;
  readonly parentId: Hash;
  /** Digest of the certificate of the parent that justifies this block. */
  readonly justifyDigest: Hash;
  /** Peer id of the leader; empty in the genesis block. */
  readonly proposer: string;
  /** Unix seconds. */
  readonly timestamp: number;
  readonly eventsRoot: Hash;
  /** Root of the state tree after this block was executed. */
  readonly stateRoot: Hash;
  /** Digest of the next epoch's validator set in the block that ends an epoch, else null. */
  readonly nextValidatorSet: Hash | null;
}

export interface Block {
  readonly id: Hash;
  readonly header: BlockHeader;
  readonly headerBytes: Uint8Array;
  readonly events: readonly SignedEvent[];
}

/** How a block was agreed on. The block does not know: seals of one block may differ between replicas. */
export interface Seal {
  readonly kind: SealKind;
  readonly bytes: Uint8Array;
}

export type SealKind = (typeof SEAL_KINDS)[number];
const SEAL_KINDS = ['genesis', 'hotstuff', 'raft'] as const;

export interface SealedBlock {
  readonly block: Block;
  readonly seal: Seal;
}

const headerCodec = codec(
  struct<BlockHeader>({
    version: uint(255),
    chainId: text(64),
    epoch: uint(),
    round: uint(),
    height: uint(),
    parentId: hash,
    justifyDigest: hash,
    proposer: text(64),
    timestamp: uint(),
    eventsRoot: hash,
    stateRoot: hash,
    nextValidatorSet: nullable(hash),
  }),
  MAX_HEADER_BYTES,
);

interface BlockParts {
  readonly header: Uint8Array;
  readonly events: readonly Uint8Array[];
}

const blockCodec = codec(
  struct<BlockParts>({
    header: bytes(MAX_HEADER_BYTES),
    events: list(bytes(MAX_BLOCK_BYTES), MAX_BLOCK_EVENTS),
  }),
  MAX_BLOCK_BYTES,
);

export const sealShape: Shape<Seal> = struct<Seal>({ kind: oneOf(SEAL_KINDS), bytes: bytes(MAX_SEAL_BYTES) });

const sealedCodec = codec(
  struct<{ block: Uint8Array; seal: Seal }>({
    block: bytes(MAX_BLOCK_BYTES),
    seal: sealShape,
  }),
  MAX_BLOCK_BYTES + MAX_SEAL_BYTES + 64,
);

const BLOCK_DOMAIN = utf8('hotledger/block/1\n');

export function blockIdOf(headerBytes: Uint8Array): Hash {
  return taggedHash(BLOCK_DOMAIN, headerBytes);
}

export function makeBlock(header: Omit<BlockHeader, 'version' | 'eventsRoot'>, events: readonly SignedEvent[]): Block {
  const complete: BlockHeader = { ...header, version: BLOCK_VERSION, eventsRoot: eventsRootOf(events) };
  const headerBytes = headerCodec.encode(complete);
  return { id: blockIdOf(headerBytes), header: complete, headerBytes, events };
}

export function eventsRootOf(events: readonly SignedEvent[]): Hash {
  return eventsRoot(events.map((event) => event.bytes));
}

/**
 * A header alone, as seals and proofs carry it.
 *
 * Refusals: `too-large`, `undecodable`, `non-canonical`, `block-version-unknown`.
 */
export function decodeHeader(headerBytes: Uint8Array): Result<BlockHeader> {
  const decoded = headerCodec.decode(headerBytes);
  if (decoded.ok && decoded.value.version !== BLOCK_VERSION) {
    return refuse('block-version-unknown', 'the block has a version that this program does not know', {
      version: decoded.value.version,
      known: BLOCK_VERSION,
    });
  }
  return decoded;
}

export function encodeBlock(block: Block): Uint8Array {
  return blockCodec.encode({ header: block.headerBytes, events: block.events.map((event) => event.bytes) });
}

/**
 * Decodes a block of this chain and checks that it agrees with itself. Signatures are not checked here.
 *
 * Refusals: those of the codec and of `decodeSignedEvent`, `block-version-unknown`, `chain-id-mismatch`,
 * `events-root-mismatch`.
 */
export function decodeBlock(
  chainId: string,
  blockBytes: Uint8Array,
  decodeEvent: EventDecoder = decodeSignedEvent,
): Result<Block> {
  const parts = blockCodec.decode(blockBytes);
  return parts.ok ? blockFromParts(chainId, parts.value, decodeEvent) : parts;
}

function blockFromParts(chainId: string, parts: BlockParts, decodeEvent: EventDecoder): Result<Block> {
  const header = headerFromParts(chainId, parts);
  if (!header.ok) return header;
  const events: SignedEvent[] = [];
  for (const eventBytes of parts.events) {
    const event = decodeEvent(chainId, eventBytes);
    if (!event.ok) return event;
    events.push(event.value);
  }
  return ok({ id: blockIdOf(parts.header), header: header.value, headerBytes: parts.header, events });
}

/** The events are those that the header names, whatever they are. */
function headerFromParts(chainId: string, parts: BlockParts): Result<BlockHeader> {
  const decoded = decodeHeader(parts.header);
  if (!decoded.ok) return decoded;
  const header = decoded.value;
  if (header.chainId !== chainId) {
    return refuse('chain-id-mismatch', 'the block belongs to another chain', { chainId: header.chainId, own: chainId });
  }
  if (header.eventsRoot !== eventsRoot(parts.events)) {
    return refuse('events-root-mismatch', 'the events are not those that the header names', { height: header.height });
  }
  return decoded;
}

export function encodeSealedBlock(sealed: SealedBlock): Uint8Array {
  return sealedCodec.encode({ block: encodeBlock(sealed.block), seal: sealed.seal });
}

/** Refusals: those of the codec and of `decodeBlock`. The seal is not verified here: that is its engine's rule. */
export function decodeSealedBlock(chainId: string, sealedBytes: Uint8Array): Result<SealedBlock> {
  const parts = sealedCodec.decode(sealedBytes);
  if (!parts.ok) return parts;
  const block = decodeBlock(chainId, parts.value.block);
  return block.ok ? ok({ block: block.value, seal: parts.value.seal }) : block;
}

/**
 * A sealed block whose events are only held against the header, which costs a fiftieth of decoding them: enough for one
 * who holds the block of this id already.
 *
 * Refusals: as `decodeSealedBlock`, without those of events.
 */
export function decodeSealedHeader(
  chainId: string,
  sealedBytes: Uint8Array,
): Result<{ readonly id: Hash; readonly header: BlockHeader; readonly seal: Seal }> {
  const sealed = sealedCodec.decode(sealedBytes);
  if (!sealed.ok) return sealed;
  const parts = blockCodec.decode(sealed.value.block);
  if (!parts.ok) return parts;
  const header = headerFromParts(chainId, parts.value);
  if (!header.ok) return header;
  return ok({ id: blockIdOf(parts.value.header), header: header.value, seal: sealed.value.seal });
}

/**
 * The id of the block in an encoded sealed block, from its header alone: the events are not decoded.
 *
 * @returns undefined when there is none
 */
export function peekBlockId(sealedBytes: Uint8Array): Hash | undefined {
  const sealed = sealedCodec.decode(sealedBytes);
  const block = sealed.ok ? blockCodec.decode(sealed.value.block) : sealed;
  return block.ok ? blockIdOf(block.value.header) : undefined;
}

/**
 * A block that this program wrote to its own log. The outer tuples are not encoded again to compare them; header,
 * events and events root are judged as those of strangers, so that damage does not pass.
 *
 * Refusals: those of `decodeBlock`. @throws AssertionError when the tuples do not decode
 */
export function decodeOwnSealedBlock(chainId: string, sealedBytes: Uint8Array): Result<SealedBlock> {
  const { block: blockBytes, seal } = sealedCodec.decodeOwn(sealedBytes);
  const block = blockFromParts(chainId, blockCodec.decodeOwn(blockBytes), decodeSignedEvent);
  return block.ok ? ok({ block: block.value, seal }) : block;
}
