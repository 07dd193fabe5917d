/**
 * What validators sign, byte for byte.
 *
 * A BLS message is one byte that tells its kind, then a canonical tuple that begins with chain id, protocol version
 * and epoch: no signature can be taken for one of another kind, chain, protocol or epoch. (The native library has one
 * fixed domain tag, so the kinds cannot be separated by tags.) A proposal is signed with the identity key, whose
 * messages carry a text tag like all others of that key.
 *
 * The order of the fields below is the format.
 */
import { concatBytes, utf8 } from '../base/bytes.ts';
import { codec, fixedBytes, hash, nullable, struct, text, uint, type Shape } from '../base/codec.ts';
import type { Hash } from '../base/hash.ts';
import { PUBLIC_KEY_BYTES } from './scheme.ts';

export const PROTOCOL_VERSION = 1;

/** `<name>-<first 32 hex digits of the genesis hash>` */
export const MAX_CHAIN_ID_LENGTH = 64;
/** Peer ids are canonical base58 text. */
export const MAX_PEER_ID_LENGTH = 64;

/** The first byte of a BLS message. 5 is kept for the checkpoints of a handover. */
const KIND = { vote: 1, timeout: 2, possession: 3, headStatement: 4 } as const;

const PROPOSAL_TAG = utf8('hotledger/proposal/1\n');

/** What every ballot is bound to, besides its own fields. */
export interface ChainBinding {
  readonly chainId: string;
  readonly epoch: number;
}

/** The block that becomes committed if the certificate forms: one certificate is one commit proof. */
export interface CommitInfo {
  readonly height: number;
  readonly round: number;
  readonly blockId: Hash;
  readonly stateRoot: Hash;
  /** Digest of the next epoch's validator set, at the block that ends an epoch. */
  readonly nextValidatorSet: Hash | null;
}

export interface VoteData {
  readonly round: number;
  readonly blockId: Hash;
  readonly parentRound: number;
  readonly parentId: Hash;
  readonly commit: CommitInfo | null;
}

export interface TimeoutData {
  readonly round: number;
  /** Round of the highest certificate that the validator knows; below `round`. */
  readonly highRound: number;
}

export interface ProposalData {
  readonly round: number;
  readonly blockId: Hash;
}

/** A validator's head at a moment of its own clock: what makes a read's age known on an idle chain. */
export interface HeadData {
  readonly height: number;
  readonly blockId: Hash;
  readonly stateRoot: Hash;
  /** Unix milliseconds. */
  readonly nowMs: number;
}

export const commitInfoShape: Shape<CommitInfo> = struct<CommitInfo>({
  height: uint(),
  round: uint(),
  blockId: hash,
  stateRoot: hash,
  nextValidatorSet: nullable(hash),
});

export const voteShape: Shape<VoteData> = struct<VoteData>({
  round: uint(),
  blockId: hash,
  parentRound: uint(),
  parentId: hash,
  commit: nullable(commitInfoShape),
});

export const timeoutShape: Shape<TimeoutData> = struct<TimeoutData>({ round: uint(), highRound: uint() });

export const proposalShape: Shape<ProposalData> = struct<ProposalData>({ round: uint(), blockId: hash });

export const headShape: Shape<HeadData> = struct<HeadData>({
  height: uint(),
  blockId: hash,
  stateRoot: hash,
  nowMs: uint(),
});

export function votePreimage(chain: ChainBinding, vote: VoteData): Uint8Array {
  return bound(KIND.vote, chain, encodeVote(vote));
}

export function timeoutPreimage(chain: ChainBinding, timeout: TimeoutData): Uint8Array {
  return bound(KIND.timeout, chain, encodeTimeout(timeout));
}

export function headStatementPreimage(chain: ChainBinding, head: HeadData): Uint8Array {
  return bound(KIND.headStatement, chain, encodeHead(head));
}

/** Signed with the identity key of the proposer's peer id, not with BLS. The block id covers all else of a proposal. */
export function proposalPreimage(chain: ChainBinding, proposal: ProposalData): Uint8Array {
  return concatBytes(PROPOSAL_TAG, bindingOf(chain), encodeProposal(proposal));
}

/**
 * Proof of possession: the key signs itself and the peer id that registers it, so that nobody can register another's
 * key. The one preimage without chain id and epoch: a chain id is a hash over its genesis registrations.
 */
export function possessionPreimage(peerId: string, publicKey: Uint8Array): Uint8Array {
  return concatBytes(
    Uint8Array.of(KIND.possession),
    possessionCodec.encode({ protocolVersion: PROTOCOL_VERSION, peerId, publicKey }),
  );
}

function bound(kind: number, chain: ChainBinding, body: Uint8Array): Uint8Array {
  const binding = bindingOf(chain);
  const preimage = new Uint8Array(1 + binding.length + body.length);
  preimage[0] = kind;
  preimage.set(binding, 1);
  preimage.set(body, 1 + binding.length);
  return preimage;
}

const MAX_PREIMAGE_BYTES = 512;

const bindingCodec = codec(
  struct<ChainBinding & { protocolVersion: number }>({
    chainId: text(MAX_CHAIN_ID_LENGTH),
    protocolVersion: uint(),
    epoch: uint(),
  }),
  MAX_PREIMAGE_BYTES,
);
const possessionCodec = codec(
  struct<{ protocolVersion: number; peerId: string; publicKey: Uint8Array }>({
    protocolVersion: uint(),
    peerId: text(MAX_PEER_ID_LENGTH),
    publicKey: fixedBytes(PUBLIC_KEY_BYTES),
  }),
  MAX_PREIMAGE_BYTES,
);
const encodeVote = codec(voteShape, MAX_PREIMAGE_BYTES).encode;
const encodeTimeout = codec(timeoutShape, MAX_PREIMAGE_BYTES).encode;
const encodeHead = codec(headShape, MAX_PREIMAGE_BYTES).encode;
const encodeProposal = codec(proposalShape, MAX_PREIMAGE_BYTES).encode;

/** The last one is kept: a process is of one chain, and mostly in one epoch. */
let lastBinding: ChainBinding & { readonly encoded: Uint8Array } = {
  chainId: '',
  epoch: -1,
  encoded: new Uint8Array(0),
};

function bindingOf({ chainId, epoch }: ChainBinding): Uint8Array {
  if (lastBinding.epoch !== epoch || lastBinding.chainId !== chainId) {
    const encoded = bindingCodec.encode({ chainId, protocolVersion: PROTOCOL_VERSION, epoch });
    lastBinding = { chainId, epoch, encoded };
  }
  return lastBinding.encoded;
}
