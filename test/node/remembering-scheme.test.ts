import { beforeEach, describe, expect, test } from 'vitest';
import { utf8 } from '../../src/base/bytes.ts';
import { sha256 } from '../../src/base/hash.ts';
import { unwrap } from '../../src/base/result.ts';
import { rememberingScheme } from '../../src/node/remembering-scheme.ts';
import { secretKeyFromSeed } from '../../src/qc/keys.ts';
import type { SignatureScheme } from '../../src/qc/scheme.ts';
import { fastScheme } from '../hotstuff/fast-scheme.ts';

const secrets = [1, 2, 3].map((i) => secretKeyFromSeed(sha256(utf8(`key ${i}`))));
const keys = secrets.map((secret) => fastScheme.publicKeyOf(secret));
const message = utf8('message');
const other = utf8('another');

let checks: number;
let scheme: SignatureScheme;

beforeEach(() => {
  checks = 0;
  const counting: SignatureScheme = {
    ...fastScheme,
    verify(...args) {
      checks++;
      return fastScheme.verify(...args);
    },
    verifyAggregate(...args) {
      checks++;
      return fastScheme.verifyAggregate(...args);
    },
    verifyAggregateOfDistinct(...args) {
      checks++;
      return fastScheme.verifyAggregateOfDistinct(...args);
    },
  };
  scheme = rememberingScheme(counting, 2);
});

const sign = (signer: number, text = message) => scheme.sign(secrets[signer]!, text);
const aggregate = (...signatures: Uint8Array[]) => unwrap(scheme.aggregate(signatures));

describe('a remembering scheme', () => {
  test('checks a true signature once', () => {
    const signature = sign(0);
    for (let i = 0; i < 3; i++) expect(scheme.verify(keys[0]!, message, signature)).toBe(true);
    expect(checks).toBe(1);
  });

  test('checks an aggregate once, in whichever of its forms it comes', () => {
    const signature = aggregate(sign(0), sign(1));
    const publicKeys = [keys[0]!, keys[1]!];
    expect(scheme.verifyAggregateOfDistinct([{ publicKeys, message }], signature)).toBe(true);
    expect(scheme.verifyAggregate(publicKeys, message, signature)).toBe(true);
    expect(checks).toBe(1);
  });

  test('knows several messages under one signature', () => {
    const signature = aggregate(sign(0), sign(1, other));
    const groups = [
      { publicKeys: [keys[0]!], message },
      { publicKeys: [keys[1]!], message: other },
    ];
    for (let i = 0; i < 2; i++) expect(scheme.verifyAggregateOfDistinct(groups, signature)).toBe(true);
    expect(checks).toBe(1);
    const swapped = [
      { publicKeys: [keys[0]!], message: other },
      { publicKeys: [keys[1]!], message },
    ];
    expect(scheme.verifyAggregateOfDistinct(swapped, signature)).toBe(false);
  });

  test('checks what was false each time', () => {
    for (let i = 0; i < 3; i++) expect(scheme.verify(keys[1]!, message, sign(0))).toBe(false);
    expect(checks).toBe(3);
    expect(scheme.verify(keys[0]!, message, sign(0))).toBe(true);
  });

  test('takes no other key, message, signature, or split of the same bytes for what it knows', () => {
    const signature = sign(0);
    expect(scheme.verify(keys[0]!, message, signature)).toBe(true);
    expect(scheme.verify(keys[1]!, message, signature)).toBe(false);
    expect(scheme.verify(keys[0]!, other, signature)).toBe(false);
    expect(scheme.verify(keys[0]!, message, sign(1))).toBe(false);
    expect(scheme.verify(keys[0]!, message.slice(1), signature)).toBe(false);
    expect(scheme.verifyAggregate([keys[0]!, keys[1]!], message, signature)).toBe(false);
    expect(scheme.verifyAggregate([], message, signature)).toBe(false);
    expect(checks).toBe(7);
  });

  test('remembers a bounded number', () => {
    const signatures = [0, 1, 2].map((signer) => sign(signer));
    const verify = (signer: number) => scheme.verify(keys[signer]!, message, signatures[signer]!);
    expect([0, 1, 2, 2, 0].map(verify)).toEqual(Array(5).fill(true));
    expect(checks).toBe(4);
  });

  test('signs and aggregates as the scheme that it is made of', () => {
    expect(scheme.name).toBe(fastScheme.name);
    expect(sign(0)).toEqual(fastScheme.sign(secrets[0]!, message));
    expect(scheme.checkPublicKey(keys[0]!).ok).toBe(true);
  });
});
