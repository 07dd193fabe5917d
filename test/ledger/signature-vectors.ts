/**
 * Signatures on the edges of the predicate of src/ledger/signature.ts, each with what every backend must say.
 *
 * The edges of ed25519 are those of Chalkias, Garillot, Nikolaenko, "Taming the many EdDSAs" (2020), made here from
 * scalars and torsion points, so that one reads what they are; the honest ones are of RFC 8032, section 7.1. Those of
 * secp256k1 are BIP 66 (strict DER) and BIP 146 (low S).
 */
import { ed25519, ED25519_TORSION_SUBGROUP } from '@noble/curves/ed25519.js';
import { secp256k1 } from '@noble/curves/secp256k1.js';
import { sha512 } from '@noble/hashes/sha2.js';
import { concatBytes, fromHex, utf8 } from '../../src/base/bytes.ts';
import { sha256 } from '../../src/base/hash.ts';
import { peerIdFromPublicKey, type Identity, type KeyType } from '../../src/ledger/identity.ts';

export interface SignatureVector {
  readonly name: string;
  readonly valid: boolean;
  readonly identity: Identity;
  readonly message: Uint8Array;
  readonly signature: Uint8Array;
}

const { Point } = ed25519;
type EdPoint = InstanceType<typeof Point>;
const L = Point.Fn.ORDER;
const P = Point.Fp.ORDER;

function hex(text: string): Uint8Array {
  const bytes = fromHex(text);
  if (bytes === undefined) throw new TypeError(text);
  return bytes;
}

function littleEndian(value: bigint): Uint8Array {
  return Uint8Array.from({ length: 32 }, (_, i) => Number((value >> BigInt(8 * i)) & 0xffn));
}

function numberOf(bytes: Uint8Array): bigint {
  return bytes.reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n);
}

function identityOf(keyType: KeyType, publicKey: Uint8Array): Identity {
  return { peerId: peerIdFromPublicKey(keyType, publicKey), keyType, publicKey };
}

function challenge(commitment: Uint8Array, publicKey: Uint8Array, message: Uint8Array): bigint {
  return numberOf(sha512(concatBytes(commitment, publicKey, message))) % L;
}

const MESSAGE = utf8('a message');
const a = 123456789012345678901234567890n; // the secret scalar
const r = 987654321098765432109876543210n; // the nonce
const A = Point.BASE.multiply(a);
const R = Point.BASE.multiply(r);
const T8 = Point.fromHex(
  ED25519_TORSION_SUBGROUP.find((encoding) => {
    const point = Point.fromHex(encoding);
    return !point.multiplyUnsafe(4n).is0();
  }) as string,
);
/** y = 1 written as p + 1: the neutral element in a second encoding. */
const NEUTRAL_NOT_CANONICAL = littleEndian(P + 1n);

interface Parts {
  readonly publicKey?: Uint8Array;
  readonly commitment?: Uint8Array;
  readonly message?: Uint8Array;
  /** S from the challenge; honest unless said otherwise. */
  readonly s?: (k: bigint) => bigint;
}

function edVector(name: string, valid: boolean, parts: Parts = {}): SignatureVector {
  const publicKey = parts.publicKey ?? A.toBytes();
  const commitment = parts.commitment ?? R.toBytes();
  const message = parts.message ?? MESSAGE;
  const k = challenge(commitment, publicKey, message);
  const s = (parts.s ?? ((k) => (r + k * a) % L))(k);
  const signature = concatBytes(commitment, littleEndian(s));
  return { name: `ed25519: ${name}`, valid, identity: identityOf('ed25519', publicKey), message, signature };
}

/** A message whose challenge is, or is not, a multiple of 8: then a torsion part of the key vanishes, or does not. */
function messageWith(publicKey: Uint8Array, multipleOf8: boolean): Uint8Array {
  for (let i = 0; ; i++) {
    const message = utf8(`message ${i}`);
    if ((challenge(R.toBytes(), publicKey, message) % 8n === 0n) === multipleOf8) return message;
  }
}

const mixedA: EdPoint = A.add(T8);

function rfc8032(name: string, publicKey: string, message: string, signature: string): SignatureVector[] {
  const identity = identityOf('ed25519', hex(publicKey));
  const honest = {
    name: `ed25519: RFC 8032, ${name}`,
    valid: true,
    identity,
    message: hex(message),
    signature: hex(signature),
  };
  const s = numberOf(honest.signature.subarray(32));
  const malleated = concatBytes(honest.signature.subarray(0, 32), littleEndian(s + L));
  return [honest, { ...honest, name: `${honest.name}, with S + L`, valid: false, signature: malleated }];
}

function offCurve(): Uint8Array {
  for (let y = 2n; ; y++) {
    try {
      Point.fromBytes(littleEndian(y));
    } catch {
      return littleEndian(y);
    }
  }
}

const ED25519_VECTORS: readonly SignatureVector[] = [
  ...rfc8032(
    'test 1',
    'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a',
    '',
    'e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b',
  ),
  ...rfc8032(
    'test 2',
    '3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c',
    '72',
    '92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00',
  ),
  ...rfc8032(
    'test 3',
    'fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025',
    'af82',
    '6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a',
  ),
  edVector('an honest signature', true),
  edVector('S + L, the same number for the equation', false, { s: (k) => ((r + k * a) % L) + L }),
  edVector('S = L', false, { s: () => L }),
  edVector('S with all bits', false, { s: () => (1n << 256n) - 1n }),
  ...ED25519_TORSION_SUBGROUP.map((encoding, i) =>
    // With S = r, a key of small order passes for each message whose challenge its order divides.
    edVector(`a key of small order, ${i}`, false, {
      publicKey: hex(encoding),
      message: messageWith(hex(encoding), true),
      s: () => r,
    }),
  ),
  ...ED25519_TORSION_SUBGROUP.map((encoding, i) =>
    edVector(`R of small order, ${i}`, false, { commitment: hex(encoding), s: (k) => (k * a) % L }),
  ),
  edVector('R = A = 0 and S = 0, which is a signature of everything', false, {
    publicKey: Point.ZERO.toBytes(),
    commitment: Point.ZERO.toBytes(),
    s: () => 0n,
  }),
  edVector('a key that is not canonical', false, { publicKey: NEUTRAL_NOT_CANONICAL, s: () => r }),
  edVector('R that is not canonical', false, { commitment: NEUTRAL_NOT_CANONICAL, s: (k) => (k * a) % L }),
  edVector('a key with x = 0 and the sign bit', false, {
    publicKey: hex(`01${'00'.repeat(30)}80`),
    s: () => r,
  }),
  edVector('a key with a torsion part that the challenge takes away', true, {
    publicKey: mixedA.toBytes(),
    message: messageWith(mixedA.toBytes(), true),
  }),
  edVector('a key with a torsion part that only the cofactor takes away', false, {
    publicKey: mixedA.toBytes(),
    message: messageWith(mixedA.toBytes(), false),
  }),
  edVector('R with a torsion part, which only the cofactor takes away', false, { commitment: R.add(T8).toBytes() }),
  edVector('a key that is no point', false, { publicKey: offCurve() }),
  { ...edVector('one byte short', false), signature: edVector('', true).signature.subarray(0, 63) },
  { ...edVector('one byte long', false), signature: concatBytes(edVector('', true).signature, Uint8Array.of(0)) },
  { ...edVector('no bytes', false), signature: new Uint8Array() },
  { ...edVector('of another message', false), message: utf8('another message') },
];

const secretKey = sha256(utf8('a secp256k1 key'));
const secpIdentity = identityOf('secp256k1', secp256k1.getPublicKey(secretKey));
const N = secp256k1.Point.Fn.ORDER;

interface SecpNumbers {
  readonly r: bigint;
  readonly s: bigint;
}

/** An honest signature, of a message for which both numbers have 32 bytes and r needs a leading zero. */
function honestSecp(): { message: Uint8Array; numbers: SecpNumbers } {
  for (let i = 0; ; i++) {
    const message = utf8(`a message ${i}`);
    const compact = secp256k1.sign(sha256(message), secretKey, { prehash: false });
    const numbers = { r: bigEndian(compact.subarray(0, 32)), s: bigEndian(compact.subarray(32)) };
    if (numbers.r >> 255n === 1n && numbers.s >> 248n > 0n) return { message, numbers };
  }
}

function bigEndian(bytes: Uint8Array): bigint {
  return bytes.reduce((value, byte) => (value << 8n) | BigInt(byte), 0n);
}

function derNumber(value: bigint): Uint8Array {
  const digits = value.toString(16);
  const bytes = hex(digits.padStart(digits.length + (digits.length % 2), '0'));
  return (bytes[0] as number) >= 0x80 ? concatBytes(Uint8Array.of(0), bytes) : bytes;
}

function tlv(tag: number, body: Uint8Array): Uint8Array {
  return concatBytes(Uint8Array.of(tag, body.length), body);
}

function der({ r, s }: SecpNumbers): Uint8Array {
  return tlv(0x30, concatBytes(tlv(2, derNumber(r)), tlv(2, derNumber(s))));
}

const honest = honestSecp();
const { message, numbers } = honest;
const rDigits = derNumber(numbers.r);
const sDigits = derNumber(numbers.s);

function secpVector(name: string, valid: boolean, signature: Uint8Array, changed: Partial<SignatureVector> = {}) {
  return { name: `secp256k1: ${name}`, valid, identity: secpIdentity, message, signature, ...changed };
}

function sequence(...parts: readonly Uint8Array[]): Uint8Array {
  return tlv(0x30, concatBytes(...parts));
}

const SECP256K1_VECTORS: readonly SignatureVector[] = [
  secpVector('an honest signature', true, der(numbers)),
  secpVector('high S, n - s', false, der({ r: numbers.r, s: N - numbers.s })),
  secpVector('r + n', false, der({ r: numbers.r + N, s: numbers.s })),
  secpVector('r = 0', false, der({ r: 0n, s: numbers.s })),
  secpVector('s = 0', false, der({ r: numbers.r, s: 0n })),
  secpVector('r = n', false, der({ r: N, s: numbers.s })),
  secpVector('s = n', false, der({ r: numbers.r, s: N })),
  secpVector('r = s = 1', false, der({ r: 1n, s: 1n })),
  secpVector('a byte after it', false, concatBytes(der(numbers), Uint8Array.of(0))),
  secpVector('a byte after it, inside', false, sequence(tlv(2, rDigits), tlv(2, sDigits), Uint8Array.of(0))),
  secpVector('one byte short', false, der(numbers).subarray(0, -1)),
  secpVector('r without its leading zero: negative', false, sequence(tlv(2, rDigits.subarray(1)), tlv(2, sDigits))),
  secpVector('r with one zero too many', false, sequence(tlv(2, concatBytes(hex('00'), rDigits)), tlv(2, sDigits))),
  secpVector('s with one zero too many', false, sequence(tlv(2, rDigits), tlv(2, concatBytes(hex('00'), sDigits)))),
  secpVector(
    'BER: the length in two bytes',
    false,
    concatBytes(Uint8Array.of(0x30, 0x81, der(numbers).length - 2), der(numbers).subarray(2)),
  ),
  secpVector('BER: an indefinite length', false, concatBytes(hex('3080'), der(numbers).subarray(2), hex('0000'))),
  secpVector('another tag', false, concatBytes(hex('31'), der(numbers).subarray(1))),
  secpVector('no integers', false, hex('3006020002000000')),
  secpVector('compact, 64 bytes', false, hex(numbers.r.toString(16) + numbers.s.toString(16).padStart(64, '0'))),
  secpVector('no bytes', false, new Uint8Array()),
  secpVector('of another message', false, der(numbers), { message: utf8('another message') }),
  secpVector('of the message itself, not of its hash', false, secp256k1.sign(message, secretKey, { format: 'der' }), {
    message: sha256(message),
  }),
  secpVector('a key that is no point', false, der(numbers), {
    identity: identityOf('secp256k1', Uint8Array.of(2, ...new Uint8Array(31), 5)),
  }),
  secpVector('a key whose x is p', false, der(numbers), {
    identity: identityOf('secp256k1', hex('02fffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffc2f')),
  }),
];

export const SIGNATURE_VECTORS: readonly SignatureVector[] = [...ED25519_VECTORS, ...SECP256K1_VECTORS];
