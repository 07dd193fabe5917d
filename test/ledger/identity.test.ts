import { generateKeyPair } from '@libp2p/crypto/keys';
import { peerIdFromPrivateKey } from '@libp2p/peer-id';
import fc from 'fast-check';
import { base36 } from 'multiformats/bases/base36';
import { base58btc } from 'multiformats/bases/base58';
import { describe, expect, it } from 'vitest';
import { fromHex } from '../../src/base/bytes.ts';
import { unwrap } from '../../src/base/result.ts';
import { ethAddressOf, isPointOfCurve, parsePeerId, peerIdFromPublicKey } from '../../src/ledger/identity.ts';
import { codeOf, peerOf } from './nodes.ts';

function bytes(hex: string): Uint8Array {
  return fromHex(hex) ?? new Uint8Array();
}

describe('a peer id', () => {
  it.each(['Ed25519', 'secp256k1'] as const)('of a libp2p %s key holds that key', async (type) => {
    const key = await generateKeyPair(type);
    const peerId = peerIdFromPrivateKey(key);
    const identity = unwrap(parsePeerId(peerId.toString()));
    expect(identity).toEqual({
      peerId: peerId.toString(),
      keyType: type.toLowerCase(),
      publicKey: new Uint8Array(key.publicKey.raw),
    });
    expect(peerIdFromPublicKey(identity.keyType, identity.publicKey)).toBe(identity.peerId);
    expect(unwrap(parsePeerId(peerId.toCID().toString()))).toEqual(identity);
    expect(unwrap(parsePeerId(peerId.toCID().toString(base36)))).toEqual(identity);
    expect(unwrap(parsePeerId(peerId.toCID().toString(base58btc)))).toEqual(identity);
  });

  const good = peerOf(1);
  it.each([
    ['nothing', '', 'peer-id-invalid'],
    ['an endless text', '1'.repeat(200), 'peer-id-invalid'],
    ['zeros only', '1'.repeat(52), 'peer-id-invalid'],
    ['a letter that base58 has not', `${good.slice(0, -1)}0`, 'peer-id-invalid'],
    ['one letter less', good.slice(0, -1), 'peer-id-invalid'],
    ['one letter more', `${good}1`, 'peer-id-invalid'],
    ['a blank before it', ` ${good}`, 'peer-id-invalid'],
    ['a letter past Latin-1 that a library takes for a zero', `1Ā${good.slice(1)}`, 'peer-id-invalid'],
    ['a hash of an RSA key', 'QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N', 'peer-id-unsupported'],
    ['a CID of a hash of a key', 'bafzbeie5745rpv2m6tjyuugywy4d5ewrqgqqhfnf445he3omzpjbx5xqxe', 'peer-id-unsupported'],
    ['a CID of something else', 'bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi', 'peer-id-invalid'],
  ])('is not %s', (_, text, code) => {
    expect(codeOf(parsePeerId(text))).toBe(code);
  });

  it('whose compressed key has no sign is refused', () => {
    const peerId = peerIdFromPublicKey('secp256k1', new Uint8Array(33).fill(4));
    expect(codeOf(parsePeerId(peerId))).toBe('peer-id-invalid');
  });

  it('whose protobuf is written otherwise is refused', () => {
    const key = '00'.repeat(32);
    for (const head of ['002508800112', '002412200801', '0024080112a000', '002508011220']) {
      expect(parsePeerId(base58btc.baseEncode(bytes(head + key))).ok).toBe(false);
    }
  });

  it('is any text at all without an exception', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.string({ unit: fc.constantFrom(...'1Qbzk2DKoW') })), (text) => {
        const parsed = parsePeerId(text);
        return !parsed.ok || parsePeerId(parsed.value.peerId).ok;
      }),
    );
  });
});

describe('the Ethereum address', () => {
  it('is that of the key, with its checksum', () => {
    // The key of the secret number 1, and its well-known address.
    const generator = bytes('0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798');
    const identity = unwrap(parsePeerId(peerIdFromPublicKey('secp256k1', generator)));
    expect(ethAddressOf(identity)).toBe('0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf');
  });

  it('is empty for an ed25519 key, and for bytes that are no key', () => {
    expect(ethAddressOf(unwrap(parsePeerId(peerOf(1))))).toBe('');
    const notAPoint = Uint8Array.of(2, ...new Uint8Array(31), 5);
    expect(isPointOfCurve(notAPoint)).toBe(false);
    expect(ethAddressOf(unwrap(parsePeerId(peerIdFromPublicKey('secp256k1', notAPoint))))).toBe('');
  });
});
