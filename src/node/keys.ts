/**
 * The identity key: the key behind a peer id. On disk it is the hex of the libp2p private key protobuf, as masa-oracle
 * keeps it in `masa_oracle_key`, so that a node that moves here keeps its peer id.
 *
 * The protobuf (libp2p specs, peer-ids: `message PrivateKey { KeyType Type = 1; bytes Data = 2; }`) is written out here:
 * importing libp2p for these few bytes would cost every command several hundred milliseconds.
 */
import { createPrivateKey, createPublicKey, randomBytes, sign as signNative } from 'node:crypto';
import { secp256k1 } from '@noble/curves/secp256k1.js';
import { concatBytes, equalBytes, fromHex } from '../base/bytes.ts';
import { codedError, ok, refuse, unwrap, type Result } from '../base/result.ts';
import { peerIdFromPublicKey } from '../ledger/identity.ts';
import { readKeyFile, writeKeyFile } from './key-file.ts';
import { leaveMark } from './mark-file.ts';

export type IdentityKeyType = 'ed25519' | 'secp256k1';

export interface IdentityKey {
  readonly peerId: string;
  readonly keyType: IdentityKeyType;
  /** 32 bytes (ed25519) or 33, compressed (secp256k1). */
  readonly publicKey: Uint8Array;
  /** The private key as libp2p marshals it. */
  readonly protobuf: Uint8Array;
  /** ed25519: 64 bytes; secp256k1: DER with low S, over the SHA-256 of the message. */
  sign(message: Uint8Array): Uint8Array;
}

/** `[Type = 1: varint] [Data = 2: length-delimited]`, with the lengths that these two key types have. */
const HEADERS = {
  ed25519: Uint8Array.of(0x08, 0x01, 0x12, 64),
  secp256k1: Uint8Array.of(0x08, 0x02, 0x12, 32),
};

/** DER of a PKCS #8 ed25519 private key up to its 32 bytes (RFC 8410, section 7). */
const PKCS8_ED25519 = Uint8Array.from([48, 46, 2, 1, 0, 48, 5, 6, 3, 43, 101, 112, 4, 34, 4, 32]);

export function generateIdentityKey(keyType: IdentityKeyType): IdentityKey {
  return identityKeyFromSecret(keyType, randomBytes(32));
}

/** @param secret 32 bytes: the ed25519 seed or the secp256k1 scalar */
export function identityKeyFromSecret(keyType: IdentityKeyType, secret: Uint8Array): IdentityKey {
  return keyType === 'ed25519' ? ed25519Key(secret) : secp256k1Key(secret);
}

/**
 * Reads the protobuf. Refusals: `key-malformed`, `key-type-unknown` (RSA and ECDSA keys, which no peer id here has).
 */
export function identityKeyFromProtobuf(protobuf: Uint8Array): Result<IdentityKey> {
  const type = protobuf[0] === 0x08 ? protobuf[1] : undefined;
  if (type === 0 || type === 3) {
    return refuse(
      'key-type-unknown',
      'the identity key is neither ed25519 nor secp256k1; make one with "hotledger init"',
    );
  }
  for (const keyType of ['ed25519', 'secp256k1'] as const) {
    const header = HEADERS[keyType];
    const length = header[3] as number;
    if (protobuf.length !== header.length + length || !equalBytes(protobuf.subarray(0, header.length), header))
      continue;
    const data = protobuf.subarray(header.length);
    if (keyType === 'secp256k1' && !secp256k1.utils.isValidSecretKey(data)) break;
    const key = identityKeyFromSecret(keyType, data.slice(0, 32));
    if (keyType === 'ed25519' && !equalBytes(key.publicKey, data.subarray(32))) break;
    return ok(key);
  }
  return refuse('key-malformed', 'the identity key is not a libp2p private key protobuf in hex', {
    bytes: protobuf.length,
  });
}

/** @throws CodedError `key-missing`, `file-unusable`, `key-file-permissions`, `key-malformed`, `key-type-unknown` */
export async function loadIdentityKey(source: {
  readonly identityKeyFile: string;
  readonly identityKeyHex: string | null;
}): Promise<IdentityKey> {
  if (source.identityKeyHex === null) return unwrap(identityKeyFromProtobuf(await readKeyFile(source.identityKeyFile)));
  const protobuf = fromHex(source.identityKeyHex.trim().toLowerCase());
  if (protobuf === undefined) throw codedError('key-malformed', 'PRIVATE_KEY is not a key in hex digits');
  return unwrap(identityKeyFromProtobuf(protobuf));
}

/** @throws CodedError `key-exists` */
export async function saveIdentityKey(path: string, key: IdentityKey): Promise<void> {
  await writeKeyFile(path, key.protobuf);
}

/** The mark of a key that has voted in no Raft cluster: its member may begin one. */
export function neverVotedMark(identityKeyFile: string): string {
  return `${identityKeyFile}.never-voted`;
}

/** For a key that was just made. @throws CodedError `key-exists` */
export async function saveNewIdentityKey(path: string, key: IdentityKey): Promise<void> {
  await saveIdentityKey(path, key);
  await leaveMark(
    neverVotedMark(path),
    'This key has voted in no Raft cluster. A member of one that has a log removes this file.',
  );
}

function ed25519Key(seed: Uint8Array): IdentityKey {
  const privateKey = createPrivateKey({
    key: Buffer.from(concatBytes(PKCS8_ED25519, seed)),
    format: 'der',
    type: 'pkcs8',
  });
  const { x } = createPublicKey(privateKey).export({ format: 'jwk' });
  const publicKey = new Uint8Array(Buffer.from(x as string, 'base64url'));
  return {
    keyType: 'ed25519',
    publicKey,
    peerId: peerIdFromPublicKey('ed25519', publicKey),
    protobuf: concatBytes(HEADERS.ed25519, seed, publicKey),
    sign: (message) => new Uint8Array(signNative(null, message, privateKey)),
  };
}

function secp256k1Key(scalar: Uint8Array): IdentityKey {
  const publicKey = secp256k1.getPublicKey(scalar, true);
  return {
    keyType: 'secp256k1',
    publicKey,
    peerId: peerIdFromPublicKey('secp256k1', publicKey),
    protobuf: concatBytes(HEADERS.secp256k1, scalar),
    sign: (message) => secp256k1.sign(message, scalar, { prehash: true, lowS: true, format: 'der' }),
  };
}
