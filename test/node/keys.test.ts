import { chmod, stat, writeFile, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { privateKeyFromProtobuf } from '@libp2p/crypto/keys';
import { peerIdFromPrivateKey } from '@libp2p/peer-id';
import { describe, expect, test } from 'vitest';
import { toHex, utf8 } from '../../src/base/bytes.ts';
import { unwrap } from '../../src/base/result.ts';
import { parsePeerId } from '../../src/ledger/identity.ts';
import { nobleVerifier } from '../../src/ledger/signature-noble.ts';
import { generateBlsKey, loadBlsKey, registrationOf, saveBlsKey } from '../../src/node/bls-key.ts';
import { genesisValidatorOf } from '../../src/node/genesis-file.ts';
import {
  generateIdentityKey,
  identityKeyFromProtobuf,
  identityKeyFromSecret,
  loadIdentityKey,
  saveIdentityKey,
} from '../../src/node/keys.ts';
import { nobleScheme } from '../../src/qc/scheme-noble.ts';
import { makeValidatorSet } from '../../src/qc/validator-set.ts';
import { temporaryDirectory } from './directory.ts';

const SECRET = Uint8Array.from({ length: 32 }, (_, index) => index + 1);

describe.each(['ed25519', 'secp256k1'] as const)('an %s identity key', (keyType) => {
  test('is the private key that libp2p reads from the same protobuf', () => {
    const key = identityKeyFromSecret(keyType, SECRET);
    const libp2pKey = privateKeyFromProtobuf(key.protobuf);
    expect(peerIdFromPrivateKey(libp2pKey).toString()).toBe(key.peerId);
    expect(toHex(libp2pKey.publicKey.raw)).toBe(toHex(key.publicKey));
  });

  test('signs what its peer id verifies', () => {
    const key = generateIdentityKey(keyType);
    const identity = unwrap(parsePeerId(key.peerId));
    const message = utf8('hotledger');
    expect(nobleVerifier.verify(identity, message, key.sign(message))).toBe(true);
    expect(nobleVerifier.verify(identity, utf8('hotledger!'), key.sign(message))).toBe(false);
  });

  test('comes back from its file, which only its owner can read', async () => {
    const path = join(await temporaryDirectory(), 'below', 'masa_oracle_key');
    const key = generateIdentityKey(keyType);
    await saveIdentityKey(path, key);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    const source = { identityKeyFile: path, identityKeyHex: null };
    expect((await loadIdentityKey(source)).peerId).toBe(key.peerId);
    const hex = toHex(key.protobuf);
    expect((await loadIdentityKey({ identityKeyFile: 'none', identityKeyHex: hex })).peerId).toBe(key.peerId);
  });
});

describe('key files', () => {
  test('are never overwritten', async () => {
    const path = join(await temporaryDirectory(), 'key');
    await saveIdentityKey(path, generateIdentityKey('ed25519'));
    const before = await readFile(path, 'utf8');
    await expect(saveIdentityKey(path, generateIdentityKey('ed25519'))).rejects.toMatchObject({ code: 'key-exists' });
    expect(await readFile(path, 'utf8')).toBe(before);
  });

  test('that others can read are refused', async () => {
    const path = join(await temporaryDirectory(), 'key');
    await saveIdentityKey(path, generateIdentityKey('ed25519'));
    await chmod(path, 0o640);
    await expect(loadIdentityKey({ identityKeyFile: path, identityKeyHex: null })).rejects.toMatchObject({
      code: 'key-file-permissions',
      details: { mode: '640' },
    });
  });

  test('that are missing or hold no hex digits are refused', async () => {
    const directory = await temporaryDirectory();
    const load = (name: string) => loadIdentityKey({ identityKeyFile: join(directory, name), identityKeyHex: null });
    await expect(load('none')).rejects.toMatchObject({ code: 'key-missing' });
    await expect(load('.'), 'what cannot be read is there').rejects.toMatchObject({
      code: 'file-unusable',
      details: { path: directory },
    });
    await writeFile(join(directory, 'text'), 'my key', { mode: 0o600 });
    await expect(load('text')).rejects.toMatchObject({ code: 'key-malformed' });
    await expect(loadIdentityKey({ identityKeyFile: '', identityKeyHex: 'xyz' })).rejects.toMatchObject({
      code: 'key-malformed',
    });
  });

  test('of RSA and ECDSA keys are refused for their type', () => {
    expect(identityKeyFromProtobuf(Uint8Array.of(8, 0, 18, 1, 0))).toMatchObject({
      ok: false,
      refusal: { code: 'key-type-unknown' },
    });
    expect(identityKeyFromProtobuf(Uint8Array.of(8, 3, 18, 1, 0))).toMatchObject({
      refusal: { code: 'key-type-unknown' },
    });
  });

  test('with an ed25519 key whose public half is another one are refused', () => {
    const { protobuf } = identityKeyFromSecret('ed25519', SECRET);
    protobuf[protobuf.length - 1] = (protobuf.at(-1) ?? 0) ^ 1;
    expect(identityKeyFromProtobuf(protobuf)).toMatchObject({ refusal: { code: 'key-malformed' } });
  });

  test('with a secp256k1 scalar out of range are refused', () => {
    const { protobuf } = identityKeyFromSecret('secp256k1', SECRET);
    protobuf.fill(0, 4);
    expect(identityKeyFromProtobuf(protobuf)).toMatchObject({ refusal: { code: 'key-malformed' } });
  });
});

describe('a BLS key', () => {
  test('comes back from its file and registers with a proof of possession', async () => {
    const path = join(await temporaryDirectory(), 'bls_key');
    const secretKey = generateBlsKey();
    await saveBlsKey(path, secretKey);
    expect(toHex(await loadBlsKey(path))).toBe(toHex(secretKey));
    const { peerId } = generateIdentityKey('ed25519');
    const registration = registrationOf(peerId, secretKey, ['/ip4/127.0.0.1/tcp/1'], nobleScheme);
    const validator = unwrap(genesisValidatorOf(JSON.parse(JSON.stringify(registration))));
    expect(makeValidatorSet(0, [validator], nobleScheme).ok).toBe(true);
    const another = { ...validator, peerId: generateIdentityKey('ed25519').peerId };
    expect(makeValidatorSet(0, [another], nobleScheme)).toMatchObject({ refusal: { code: 'possession-unproven' } });
  });

  test('file with another number of bytes is refused', async () => {
    const path = join(await temporaryDirectory(), 'bls_key');
    await writeFile(path, 'abcd', { mode: 0o600 });
    await expect(loadBlsKey(path)).rejects.toMatchObject({ code: 'secret-key-malformed' });
  });

  test.each([
    ['a missing key', { peerId: 'x', multiaddrs: [], proofOfPossession: 'a'.repeat(192) }],
    [
      'a field too many',
      { peerId: 'x', multiaddrs: [], blsPublicKey: 'a'.repeat(96), proofOfPossession: 'a'.repeat(192), name: 'v' },
    ],
    [
      'capital digits',
      { peerId: 'x', multiaddrs: [], blsPublicKey: 'A'.repeat(96), proofOfPossession: 'a'.repeat(192) },
    ],
  ])('registration with %s is refused', (_what, registration) => {
    expect(genesisValidatorOf(registration)).toMatchObject({ refusal: { code: 'registration-invalid' } });
  });
});
