import fc from 'fast-check';
import { expect, test } from 'vitest';
import { packChecks, unpackChecks } from '../../src/node/signature-batch.ts';

const check = fc.record({
  keyType: fc.constantFrom('ed25519' as const, 'secp256k1' as const),
  publicKey: fc.uint8Array({ maxLength: 33 }),
  signature: fc.uint8Array({ maxLength: 72 }),
  message: fc.uint8Array({ maxLength: 2000 }),
});

test('a batch is the checks that were packed into it, in order', () => {
  fc.assert(
    fc.property(fc.array(check, { maxLength: 20 }), (checks) => {
      const unpacked = unpackChecks(packChecks(checks));
      expect(unpacked.map(({ keyType }) => keyType)).toEqual(checks.map(({ keyType }) => keyType));
      for (const part of ['publicKey', 'signature', 'message'] as const) {
        expect(unpacked.map((each) => [...each[part]])).toEqual(checks.map((each) => [...each[part]]));
      }
    }),
  );
});

test('a key that is too long is our own bug', () => {
  const [keyType, message, signature] = ['ed25519' as const, new Uint8Array(1), new Uint8Array(1)];
  expect(() => packChecks([{ keyType, publicKey: new Uint8Array(256), message, signature }])).toThrow('are short');
});
