import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { verifyHere } from '../../src/node/signature-native.ts';
import { SignatureThread } from '../../src/node/signature-thread.ts';
import { signatureContract } from '../ledger/signature-contract.ts';
import { SIGNATURE_VECTORS } from '../ledger/signature-vectors.ts';
import { codeOf } from '../net/network.ts';

const many = Array.from({ length: 300 }, (_, index) => SIGNATURE_VECTORS[index % SIGNATURE_VECTORS.length]!);
const one = SIGNATURE_VECTORS.find(({ valid }) => valid)!;

function verdicts(thread: SignatureThread): Promise<boolean[]> {
  return Promise.all(many.map(({ identity, message, signature }) => thread.verify(identity, message, signature)));
}

function verdictOnOne(thread: SignatureThread): Promise<boolean> {
  return thread.verify(one.identity, one.message, one.signature);
}

describe('a signature thread', () => {
  let thread: SignatureThread;

  beforeAll(() => {
    thread = new SignatureThread();
  });

  afterAll(() => thread.close());

  signatureContract('on a thread of its own', (...check) => thread.verify(...check));

  test('answers each of many checks with its own verdict, whatever came together', async () => {
    expect(await verdicts(thread)).toEqual(many.map(({ valid }) => valid));
  });

  test('leaves the bytes that it is asked about where they are', async () => {
    expect(await verdictOnOne(thread)).toBe(true);
    expect(verifyHere(one.identity, one.message, one.signature)).toBe(true);
  });

  test('is not asked about a signature of a megabyte', async () => {
    expect(await thread.verify(one.identity, one.message, new Uint8Array(1 << 20))).toBe(false);
  });
});

test('a signature thread that is closed answers what it was asked before, and refuses what comes', async () => {
  const thread = new SignatureThread();
  const asked = verdicts(thread);
  await thread.close();
  expect(await asked).toEqual(many.map(({ valid }) => valid));
  expect(await codeOf(verdictOnOne(thread))).toBe('verification-closed');
});

test('a signature thread that dies fails what waits for it, and what comes: it would never answer', async () => {
  const thread = new SignatureThread();
  // What no caller asks: the worker's assertion about the type of the key ends it.
  const deadly = thread.verify({ ...one.identity, keyType: 'unknown' as 'ed25519' }, one.message, one.signature);
  expect(await codeOf(deadly)).toBe('worker-died');
  expect(await codeOf(verdictOnOne(thread))).toBe('worker-died');
  await thread.close();
});
