/**
 * Peer ids: text to public key and back, and the Ethereum address of a secp256k1 one.
 *
 * The peer id of an ed25519 or secp256k1 key is the IDENTITY multihash of the key's protobuf, so the key is inside:
 *
 *     00 24  08 01 12 20  32 bytes      ed25519     12D3KooW...
 *     00 25  08 02 12 21  33 bytes      secp256k1   16Uiu2HA...
 *
 * (libp2p specifications, peer-ids/peer-ids.md.) Ids that are a SHA-256 of a key (RSA, `Qm...`) are refused: nobody
 * could check a signature with them. The state knows one text of an id, base58btc; CIDv1 is accepted on input.
 */
import { secp256k1 } from '@noble/curves/secp256k1.js';
import { keccak_256 } from '@noble/hashes/sha3.js';
import { base58btc } from 'multiformats/bases/base58';
import { CID } from 'multiformats/cid';
import { assert } from '../base/assert.ts';
import { decodeBase58 } from '../base/base58.ts';
import { concatBytes, startsWith, toHex, utf8 } from '../base/bytes.ts';
import { ok, refuse, type Ok, type Refused, type Result } from '../base/result.ts';

export type KeyType = 'ed25519' | 'secp256k1';

export interface Identity {
  /** Canonical base58 text. */
  readonly peerId: string;
  readonly keyType: KeyType;
  /** ed25519: 32 bytes; secp256k1: 33, compressed. */
  readonly publicKey: Uint8Array;
}

/** Of the canonical text; both kinds have 52 or 53 characters. */
export const MAX_PEER_ID_LENGTH = 64;

/** Of any accepted text: a CIDv1 in base32 has 65 characters. */
const MAX_INPUT_LENGTH = 128;

/** The multicodec of a peer id in a CID, `libp2p-key`. */
const LIBP2P_KEY = 0x72;

/** Everything before the key: multihash head, then the protobuf's head. */
const PREFIXES: { readonly [K in KeyType]: Uint8Array } = {
  ed25519: Uint8Array.of(0x00, 0x24, 0x08, 0x01, 0x12, 0x20),
  secp256k1: Uint8Array.of(0x00, 0x25, 0x08, 0x02, 0x12, 0x21),
};

const PREFIX_LENGTH = 6;
const KEY_LENGTHS: { readonly [K in KeyType]: number } = { ed25519: 32, secp256k1: 33 };

/**
 * The form only: whether the bytes are a point of the curve is `isPointOfCurve`, which costs a square root and which
 * every signature check includes.
 *
 * @param text base58btc, or CIDv1 in base32, base36 or base58btc
 * Refusals: `peer-id-invalid`, `peer-id-unsupported`.
 */
export function parsePeerId(text: string): Result<Identity> {
  if (text.length === 0 || text.length > MAX_INPUT_LENGTH) {
    return refuse('peer-id-invalid', 'a peer id has 1 to 128 characters', { length: text.length });
  }
  if (text.startsWith('Qm')) return unsupported(text);
  // An identity multihash begins with a zero byte, which base58 writes as '1'; no CIDv1 text does.
  return text.startsWith('1') ? parseBase58(text) : parseCid(text);
}

function parseBase58(text: string): Result<Identity> {
  if (text.length > MAX_PEER_ID_LENGTH) return invalid(text);
  const slot = slotOf(text);
  const known = knownIdentities[slot];
  if (known?.value.peerId === text) return known;
  const bytes = decodeBase58(text);
  const parsed = bytes === undefined ? invalid(text) : fromMultihash(bytes, text);
  if (parsed.ok) knownIdentities[slot] = parsed;
  return parsed;
}

/** Those that were parsed last: the same nodes speak again and again. All who hold one hold the same text of its peer id. */
const IDENTITY_SLOTS = 1 << 12;
const knownIdentities = new Array<Ok<Identity> | undefined>(IDENTITY_SLOTS).fill(undefined);

/** By the last characters, which are those of the key. */
function slotOf(text: string): number {
  const { length } = text;
  const last = Math.imul(text.charCodeAt(length - 1), 58) + text.charCodeAt(length - 2);
  return (Math.imul(last, 58) + text.charCodeAt(length - 3)) & (IDENTITY_SLOTS - 1);
}

function parseCid(text: string): Result<Identity> {
  let cid: CID;
  try {
    cid = CID.parse(text);
  } catch {
    return invalid(text);
  }
  if (cid.version !== 1 || cid.code !== LIBP2P_KEY) return invalid(text);
  const bytes = cid.multihash.bytes;
  return fromMultihash(bytes, base58btc.baseEncode(bytes));
}

/** @param peerId the canonical text of these bytes: base58 has exactly one */
function fromMultihash(bytes: Uint8Array, peerId: string): Result<Identity> {
  const keyType = keyTypeOf(bytes);
  if (keyType === undefined) return bytes[0] === 0x00 ? invalid(peerId) : unsupported(peerId);
  const publicKey = bytes.slice(PREFIX_LENGTH);
  if (keyType === 'secp256k1' && publicKey[0] !== 2 && publicKey[0] !== 3) return invalid(peerId);
  return ok({ peerId, keyType, publicKey });
}

function keyTypeOf(bytes: Uint8Array): KeyType | undefined {
  if (bytes.length === PREFIX_LENGTH + 32 && startsWith(bytes, PREFIXES.ed25519)) return 'ed25519';
  if (bytes.length === PREFIX_LENGTH + 33 && startsWith(bytes, PREFIXES.secp256k1)) return 'secp256k1';
  return undefined;
}

function invalid(text: string): Refused {
  return refuse('peer-id-invalid', 'not a peer id', { peerId: text.slice(0, MAX_PEER_ID_LENGTH) });
}

function unsupported(text: string): Refused {
  return refuse('peer-id-unsupported', 'a peer id must contain its ed25519 or secp256k1 key', {
    peerId: text.slice(0, MAX_PEER_ID_LENGTH),
  });
}

/** @param publicKey ed25519: 32 bytes; secp256k1: 33 bytes, compressed */
export function peerIdFromPublicKey(keyType: KeyType, publicKey: Uint8Array): string {
  assert(publicKey.length === KEY_LENGTHS[keyType], 'the public key has the length of its type', {
    keyType,
    length: publicKey.length,
  });
  return base58btc.baseEncode(concatBytes(PREFIXES[keyType], publicKey));
}

/** Whether a secp256k1 key is a point of its curve: about one peer id in two that someone makes up is not. */
export function isPointOfCurve(publicKey: Uint8Array): boolean {
  return decompress(publicKey) !== undefined;
}

/** @returns 64 bytes, x and y, or undefined */
function decompress(publicKey: Uint8Array): Uint8Array | undefined {
  try {
    return secp256k1.Point.fromBytes(publicKey).toBytes(false).subarray(1);
  } catch {
    return undefined;
  }
}

/**
 * The last 20 bytes of Keccak-256 of the uncompressed key, with the checksum of EIP-55 in the case of its letters.
 *
 * @returns '' for an ed25519 key, and for bytes that are no key at all
 */
export function ethAddressOf(identity: Identity): string {
  if (identity.keyType !== 'secp256k1') return '';
  const point = decompress(identity.publicKey);
  return point === undefined ? '' : checksummed(toHex(keccak_256(point).subarray(12)));
}

/** EIP-55: a letter is upper case where the digit of the Keccak-256 of the lower-case text is 8 or more. */
function checksummed(hex: string): string {
  const digits = toHex(keccak_256(utf8(hex)));
  let text = '0x';
  for (let i = 0; i < hex.length; i++) {
    const letter = hex.charAt(i);
    text += parseInt(digits.charAt(i), 16) >= 8 ? letter.toUpperCase() : letter;
  }
  return text;
}
