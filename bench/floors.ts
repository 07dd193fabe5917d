/**
 * What this machine can do at best: the disk, the loopback network, and the cryptography that the protocol is made of.
 * Every other number of the benchmark is a ratio to one of these, measured in the same run.
 */
import { generateKeyPairSync, randomBytes, sign, verify } from 'node:crypto';
import { closeSync, fdatasyncSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { unwrap } from '../src/base/result.ts';
import { parsePeerId } from '../src/ledger/identity.ts';
import { generateIdentityKey } from '../src/node/keys.ts';
import { verifyHere } from '../src/node/signature-native.ts';
import { secretKeyFromSeed } from '../src/qc/keys.ts';
import { nativeScheme } from '../src/qc/scheme-native.ts';
import { time, timeAsync, type Summary } from './measure.ts';

export interface Floors {
  /** 4 KiB appended to a file, then fdatasync. */
  readonly appendAndSync: Summary;
  /** 1 KiB to another thread and back over TCP on loopback, noDelay. */
  readonly loopbackRoundTrip: Summary;
  /** By node:crypto: the S of the ratios. */
  readonly ed25519Verify: Summary;
  /** The whole predicate, as this program checks it. */
  readonly ed25519Check: Summary;
  readonly secp256k1Verify: Summary;
  readonly blsSign: Summary;
  /** Three signatures decoded, checked and added up. */
  readonly blsAggregate: Summary;
  /** One signature by one key: the V of the ratios. */
  readonly blsVerify: Summary;
  /** One aggregate of three signers. */
  readonly blsVerifyAggregate: Summary;
}

/** An event of the workload, as its signature is checked. */
const EVENT_BYTES = 300;
const FRAME_BYTES = 1024;

/** @param directory on the disk that the validators use */
export async function measureFloors(directory: string): Promise<Floors> {
  return {
    appendAndSync: appendAndSync(directory),
    loopbackRoundTrip: await loopbackRoundTrip(),
    ed25519Verify: verifyEvents('ed25519'),
    ed25519Check: checkEvents(),
    secp256k1Verify: verifyEvents('secp256k1'),
    ...bls(),
  };
}

function appendAndSync(directory: string): Summary {
  const folder = mkdtempSync(join(directory, 'floor-'));
  const file = openSync(join(folder, 'log'), 'a');
  const page = randomBytes(4096);
  const summary = time(400, () => {
    writeSync(file, page);
    fdatasyncSync(file);
  });
  closeSync(file);
  rmSync(folder, { recursive: true });
  return summary;
}

async function loopbackRoundTrip(): Promise<Summary> {
  const echo = new Worker(new URL('./echo.ts', import.meta.url));
  const port = await new Promise<number>((resolve, reject) => echo.once('message', resolve).once('error', reject));
  const socket = connect(port, '127.0.0.1').setNoDelay(true);
  await new Promise((resolve, reject) => socket.once('connect', resolve).once('error', reject));
  const frame = randomBytes(FRAME_BYTES);
  let awaited = 0;
  let arrived: () => void = () => undefined;
  socket.on('data', (chunk) => {
    awaited -= chunk.length;
    if (awaited === 0) arrived();
  });
  const summary = await timeAsync(2000, async () => {
    awaited = FRAME_BYTES;
    socket.write(frame);
    await new Promise<void>((resolve) => (arrived = resolve));
  });
  socket.destroy();
  await echo.terminate();
  return summary;
}

function verifyEvents(keyType: 'ed25519' | 'secp256k1'): Summary {
  const { privateKey, publicKey } =
    keyType === 'ed25519' ? generateKeyPairSync('ed25519') : generateKeyPairSync('ec', { namedCurve: 'secp256k1' });
  const digest = keyType === 'ed25519' ? null : 'sha256';
  const events = Array.from({ length: 32 }, () => randomBytes(EVENT_BYTES));
  const signatures = events.map((event) => sign(digest, event, privateKey));
  return time(2000, (i) => {
    const valid = verify(digest, events[i % 32]!, publicKey, signatures[i % 32]!);
    if (!valid) throw new Error('a signature that was just made does not verify');
  });
}

/** The whole predicate over events of ed25519 keys, as this program checks it. */
export function checkEvents(): Summary {
  const key = generateIdentityKey('ed25519');
  const identity = unwrap(parsePeerId(key.peerId));
  const events = Array.from({ length: 32 }, () => randomBytes(EVENT_BYTES));
  const signatures = events.map((event) => key.sign(event));
  return time(2000, (i) => {
    const valid = verifyHere(identity, events[i % 32]!, signatures[i % 32]!);
    if (!valid) throw new Error('a signature that was just made is not accepted');
  });
}

function bls(): Pick<Floors, 'blsSign' | 'blsAggregate' | 'blsVerify' | 'blsVerifyAggregate'> {
  const secrets = [1, 2, 3].map(() => secretKeyFromSeed(randomBytes(32)));
  const keys = secrets.map((secret) => nativeScheme.publicKeyOf(secret));
  const message = randomBytes(200);
  const signatures = secrets.map((secret) => nativeScheme.sign(secret, message));
  const aggregate = unwrap(nativeScheme.aggregate(signatures));
  const demand = (valid: boolean): void => {
    if (!valid) throw new Error('a signature that was just made does not verify');
  };
  return {
    blsSign: time(500, () => nativeScheme.sign(secrets[0]!, message)),
    blsAggregate: time(500, () => unwrap(nativeScheme.aggregate(signatures))),
    blsVerify: time(500, () => demand(nativeScheme.verify(keys[0]!, message, signatures[0]!))),
    blsVerifyAggregate: time(500, () => demand(nativeScheme.verifyAggregate(keys, message, aggregate))),
  };
}
